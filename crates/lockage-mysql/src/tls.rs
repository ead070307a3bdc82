//! TLS with rustls and ring.

use std::path::PathBuf;

use mysql_async::{ClientIdentity, SslOpts};

use crate::config::{ConnectConfig, SslMode};

/// Returns how the driver checks the server's certificate, and the client's own certificate.
pub(crate) fn options(config: &ConnectConfig) -> SslOpts {
    // The driver uses the default provider of the process. It panics if two are linked and none is chosen.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // If another thread installs a provider at the same time, that provider is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let path = |text: &String| PathBuf::from(text).into();
    let identity = config.certificate.as_ref().zip(config.key.as_ref());
    let mode = config.ssl_mode;
    SslOpts::default()
        .with_root_certs(config.ca.iter().map(path).collect())
        .with_disable_built_in_roots(config.ca.is_some())
        .with_client_identity(
            identity.map(|(certificate, key)| ClientIdentity::new(path(certificate), path(key))),
        )
        .with_danger_accept_invalid_certs(!matches!(
            mode,
            SslMode::VerifyCa | SslMode::VerifyIdentity
        ))
        .with_danger_skip_domain_validation(mode != SslMode::VerifyIdentity)
}
