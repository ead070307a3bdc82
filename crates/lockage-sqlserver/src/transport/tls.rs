//! Encrypts a connection with rustls and ring.

use std::sync::Arc;

use lockage_sql::tls::AcceptAnyCertificate;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::TransportError;
use super::tds_framed::TdsFramed;
use crate::config::{CertificateCheck, ConnectConfig, Encrypt};

/// An encrypted connection.
pub(super) type EncryptedStream = TlsStream<TdsFramed<TcpStream>>;

/// Performs the handshake inside packets of the protocol.
pub(super) async fn framed_handshake(
    config: &ConnectConfig,
    client: ClientConfig,
    tcp: TcpStream,
) -> Result<EncryptedStream, TransportError> {
    let mut tls = handshake(config, client, TdsFramed::new(tcp)).await?;
    tls.get_mut().0.disable_framing();
    Ok(tls)
}

/// Performs the handshake before the protocol begins, as in TDS 8.0.
pub(super) async fn strict_handshake(
    config: &ConnectConfig,
    client: ClientConfig,
    tcp: TcpStream,
) -> Result<EncryptedStream, TransportError> {
    let mut stream = TdsFramed::new(tcp);
    stream.disable_framing();
    handshake(config, client, stream).await
}

async fn handshake(
    config: &ConnectConfig,
    client: ClientConfig,
    stream: TdsFramed<TcpStream>,
) -> Result<EncryptedStream, TransportError> {
    let host = config.certificate_host.as_ref().unwrap_or(&config.host);
    let name = ServerName::try_from(host.clone()).map_err(|_| {
        TransportError::Config(format!("`{host}` is not a valid name in a certificate"))
    })?;
    TlsConnector::from(Arc::new(client))
        .connect(name, stream)
        .await
        .map_err(TransportError::Tls)
}

/// Creates the settings of TLS.
pub(super) fn client_config(config: &ConnectConfig) -> Result<ClientConfig, TransportError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let is_strict = config.encrypt == Encrypt::Strict;
    // Before TDS 8.0 only the handshake travels in packets. TLS 1.3 sends messages of the handshake after its end.
    let versions: &[&rustls::SupportedProtocolVersion] = if is_strict {
        &[&rustls::version::TLS13, &rustls::version::TLS12]
    } else {
        &[&rustls::version::TLS12]
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|error| TransportError::Config(error.to_string()))?;
    let mut client = match &config.certificate_check {
        CertificateCheck::AcceptAny => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AcceptAnyCertificate::new(provider)))
            .with_no_client_auth(),
        check => builder
            .with_root_certificates(root_certificates(check)?)
            .with_no_client_auth(),
    };
    if is_strict {
        client.alpn_protocols = vec![b"tds/8.0".to_vec()];
    }
    Ok(client)
}

fn root_certificates(check: &CertificateCheck) -> Result<RootCertStore, TransportError> {
    let (certificates, source) = match check {
        CertificateCheck::CaFile(path) => {
            let unreadable = |error| TransportError::Config(format!("{}: {error}", path.display()));
            let certificates = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(unreadable)?;
            (certificates, path.display().to_string())
        }
        _ => (
            rustls_native_certs::load_native_certs().certs,
            "the operating system's certificate store".into(),
        ),
    };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates);
    if roots.is_empty() {
        return Err(TransportError::Config(format!(
            "{source} contains no certificate of an authority; name a PEM file with trust_server_certificate_ca=<path>"
        )));
    }
    Ok(roots)
}
