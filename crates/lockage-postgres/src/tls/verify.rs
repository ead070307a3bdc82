//! How far a server's certificate is trusted: as libpq does by `sslmode`.

use std::path::Path;
use std::sync::Arc;

use lockage_core::{Error, ErrorKind, Result};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use crate::address::{Address, Roots, Trust};

pub(super) fn client(address: &Address) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = verifier(address, &provider)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(address, "TLS", error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(config)
}

fn verifier(
    address: &Address,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>> {
    let names = match address.trust {
        Trust::VerifyCa => false,
        Trust::VerifyFull => true,
        _ => return Ok(Arc::new(Anybody(Arc::clone(provider)))),
    };
    let known = certificates(address)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(known.iter().cloned());
    let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| unusable(address, "certificates", error))?;
    Ok(Arc::new(Known {
        chain,
        known,
        names,
    }))
}

fn certificates(address: &Address) -> Result<Vec<CertificateDer<'static>>> {
    let (certificates, place) = match &address.roots {
        Roots::System => (
            rustls_native_certs::load_native_certs().certs,
            "the system's store".to_owned(),
        ),
        Roots::File(path) => (
            read(path).map_err(|error| unusable(address, &path.display().to_string(), error))?,
            path.display().to_string(),
        ),
    };
    if certificates.is_empty() {
        let none = Error::new(
            ErrorKind::InvalidConfig,
            format!("no certificate of an authority in {place}"),
        );
        return Err(none.with_hint("name a PEM file with sslrootcert=<path> in the database URL"));
    }
    Ok(certificates)
}

fn read(
    path: &Path,
) -> std::result::Result<Vec<CertificateDer<'static>>, rustls::pki_types::pem::Error> {
    CertificateDer::pem_file_iter(path)?.collect()
}

fn unusable(
    address: &Address,
    what: &str,
    error: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::new(
        ErrorKind::InvalidConfig,
        format!("cannot use {what} for {}: {error}", address.shown),
    )
    .with_source(error)
}

/// Takes any certificate, for `prefer` and `require`; that the server has its key is checked all the same.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

/// Takes a certificate of a known authority.
#[derive(Debug)]
struct Known {
    chain: Arc<WebPkiServerVerifier>,
    known: Vec<CertificateDer<'static>>,
    /// Whether it must be made out to the host of the URL.
    names: bool,
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        server: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let judged = self
            .chain
            .verify_server_cert(server, intermediates, name, ocsp, now);
        match judged {
            // The chain is judged before the name.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.names => Ok(ServerCertVerified::assertion()),
            // A server that signs for itself, and whose very certificate is among the known ones.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::Other(_),
            )) if self.known.iter().any(|known| known == server) => {
                if self.names {
                    rustls::client::verify_server_name(
                        &ParsedCertificate::try_from(server)?,
                        name,
                    )?;
                }
                Ok(ServerCertVerified::assertion())
            }
            judged => judged,
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

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
