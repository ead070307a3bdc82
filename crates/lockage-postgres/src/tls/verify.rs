//! Verifies the server's certificate according to `sslmode`, as libpq does.

use std::path::Path;
use std::sync::Arc;

use lockage_core::{Error, ErrorKind, Result};
use lockage_sql::tls::AcceptAnyCertificate;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use crate::config::{ConnectConfig, RootCertificates, SslMode};

/// Returns the TLS settings of a connection.
pub(super) fn client_config(config: &ConnectConfig) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = verifier(config, &provider)?;
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| tls_config_error(config, "TLS", error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

fn verifier(
    config: &ConnectConfig,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>> {
    let check_host = match config.ssl_mode {
        SslMode::VerifyCa => false,
        SslMode::VerifyFull => true,
        _ => return Ok(Arc::new(AcceptAnyCertificate::new(Arc::clone(provider)))),
    };
    let trusted = trusted_certificates(config)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted.iter().cloned());
    let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| tls_config_error(config, "certificates", error))?;
    Ok(Arc::new(CaVerifier {
        chain,
        trusted,
        check_host,
    }))
}

fn trusted_certificates(config: &ConnectConfig) -> Result<Vec<CertificateDer<'static>>> {
    let (certificates, source) = match &config.roots {
        RootCertificates::System => (
            rustls_native_certs::load_native_certs().certs,
            "the certificate store of the operating system".to_owned(),
        ),
        RootCertificates::File(path) => {
            let source = path.display().to_string();
            let certificates =
                read_pem(path).map_err(|error| tls_config_error(config, &source, error))?;
            (certificates, source)
        }
    };
    if certificates.is_empty() {
        let error = Error::new(
            ErrorKind::InvalidConfig,
            format!("no certificate authority in {source}"),
        );
        return Err(error.with_hint("name a PEM file with sslrootcert=<path> in the database URL"));
    }
    Ok(certificates)
}

fn read_pem(
    path: &Path,
) -> std::result::Result<Vec<CertificateDer<'static>>, rustls::pki_types::pem::Error> {
    CertificateDer::pem_file_iter(path)?.collect()
}

fn tls_config_error(
    config: &ConnectConfig,
    source: &str,
    error: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::new(
        ErrorKind::InvalidConfig,
        format!("cannot use {source} for {}: {error}", config.display_url),
    )
    .with_source(error)
}

/// Accepts a certificate of a trusted authority.
#[derive(Debug)]
struct CaVerifier {
    chain: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
    /// Whether the certificate must be for the host of the URL.
    check_host: bool,
}

impl ServerCertVerifier for CaVerifier {
    fn verify_server_cert(
        &self,
        server: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let result = self
            .chain
            .verify_server_cert(server, intermediates, name, ocsp, now);
        match result {
            // rustls verifies the chain before the name: the chain is valid here.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.check_host => Ok(ServerCertVerified::assertion()),
            // A self-signed certificate that is itself among the trusted ones.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::Other(_),
            )) if self.trusted.iter().any(|trusted| trusted == server) => {
                if self.check_host {
                    rustls::client::verify_server_name(
                        &ParsedCertificate::try_from(server)?,
                        name,
                    )?;
                }
                Ok(ServerCertVerified::assertion())
            }
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.chain
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.chain
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
