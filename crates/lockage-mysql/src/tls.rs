//! TLS by rustls with ring.

use std::path::PathBuf;

use mysql_async::{ClientIdentity, SslOpts};

use crate::address::{Address, Trust};

/// What the driver is to ask of the server's certificate.
pub(crate) fn options(address: &Address) -> SslOpts {
    // The driver takes the process's provider, and panics where two are linked and none is chosen.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Somebody else may have chosen meanwhile: theirs will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let path = |text: &String| PathBuf::from(text).into();
    let identity = address.certificate.as_ref().zip(address.key.as_ref());
    let trust = address.trust;
    SslOpts::default()
        .with_root_certs(address.ca.iter().map(path).collect())
        .with_disable_built_in_roots(address.ca.is_some())
        .with_client_identity(
            identity.map(|(certificate, key)| ClientIdentity::new(path(certificate), path(key))),
        )
        .with_danger_accept_invalid_certs(!matches!(trust, Trust::VerifyCa | Trust::VerifyIdentity))
        .with_danger_skip_domain_validation(trust != Trust::VerifyIdentity)
}
