//! TLS by rustls with ring.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Obstacle;
use super::wrapped::Wrapped;
use crate::address::{Address, Encrypt, Trust};

/// An encrypted way to a server.
pub(super) type Encrypted = TlsStream<Wrapped<TcpStream>>;

/// Agrees on keys within packets of the protocol.
pub(super) async fn within(
    address: &Address,
    config: ClientConfig,
    tcp: TcpStream,
) -> Result<Encrypted, Obstacle> {
    let mut tls = connect(address, config, Wrapped::new(tcp)).await?;
    tls.get_mut().0.unwrap();
    Ok(tls)
}

/// Agrees on keys before the protocol begins.
pub(super) async fn strict(
    address: &Address,
    config: ClientConfig,
    tcp: TcpStream,
) -> Result<Encrypted, Obstacle> {
    let mut way = Wrapped::new(tcp);
    way.unwrap();
    connect(address, config, way).await
}

async fn connect(
    address: &Address,
    config: ClientConfig,
    way: Wrapped<TcpStream>,
) -> Result<Encrypted, Obstacle> {
    let host = address.certificate_host.as_ref().unwrap_or(&address.host);
    let name = ServerName::try_from(host.clone())
        .map_err(|_| Obstacle::Config(format!("`{host}` is no name for a certificate")))?;
    TlsConnector::from(Arc::new(config))
        .connect(name, way)
        .await
        .map_err(Obstacle::Tls)
}

pub(super) fn client(address: &Address) -> Result<ClientConfig, Obstacle> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let strict = address.encrypt == Encrypt::Strict;
    // Before TDS 8.0 the handshake is over when keys are agreed on; what TLS 1.3 says after that has no place there.
    let versions: &[&rustls::SupportedProtocolVersion] = if strict {
        &[&rustls::version::TLS13, &rustls::version::TLS12]
    } else {
        &[&rustls::version::TLS12]
    };
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|error| Obstacle::Config(error.to_string()))?;
    let mut config = match &address.trust {
        Trust::Anybody => config
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            .with_no_client_auth(),
        trust => config
            .with_root_certificates(authorities(trust)?)
            .with_no_client_auth(),
    };
    if strict {
        config.alpn_protocols = vec![b"tds/8.0".to_vec()];
    }
    Ok(config)
}

fn authorities(trust: &Trust) -> Result<RootCertStore, Obstacle> {
    let mut authorities = RootCertStore::empty();
    let (certificates, place) = match trust {
        Trust::File(path) => {
            let unreadable = |error| Obstacle::Config(format!("{}: {error}", path.display()));
            let certificates = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(unreadable)?;
            (certificates, path.display().to_string())
        }
        _ => (
            rustls_native_certs::load_native_certs().certs,
            "the system's store".into(),
        ),
    };
    authorities.add_parsable_certificates(certificates);
    if authorities.is_empty() {
        return Err(Obstacle::Config(format!(
            "no certificate of an authority in {place}; name a PEM file with trust_server_certificate_ca=<path>"
        )));
    }
    Ok(authorities)
}

/// Takes any certificate; that the server has its key is checked all the same.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
