use std::sync::Arc;

use lockage_core::{ConnectOptions, ErrorKind};
use lockage_sqlserver::lockage_core;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::fake_server::FakeServer;
use crate::runner;

const FILES: [(&str, &str); 1] = [("V1__a.sql", "SELECT 1")];

/// Starts a server with a self-signed certificate. Also returns the certificate.
async fn start_tls_server() -> (FakeServer, String) {
    let generated = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(generated.signing_key.serialize_der()).unwrap();
    let certificate = CertificateDer::from(generated.cert.der().to_vec());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let server = FakeServer::start_tls(TlsAcceptor::from(Arc::new(config))).await;
    (server, generated.cert.pem())
}

fn options(server: &FakeServer, parameters: &str) -> ConnectOptions {
    let url = format!(
        "sqlserver://app:secret@localhost:{}/shop?{parameters}",
        server.port()
    );
    ConnectOptions::new(url).unwrap()
}

#[tokio::test]
async fn configured_certificate_is_trusted() {
    let (server, pem) = start_tls_server().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, pem).unwrap();
    for parameters in [
        "trust_server_certificate=true".to_owned(),
        format!("trust_server_certificate_ca={}", file.display()),
    ] {
        runner(options(&server, &parameters), &FILES)
            .up()
            .await
            .unwrap();
    }
    assert_eq!(server.state().applied(), ["1"]);
}

#[tokio::test]
async fn unknown_certificate_is_rejected_with_hint() {
    let (server, _) = start_tls_server().await;
    let failed = runner(options(&server, ""), &FILES).up().await.unwrap_err();
    let text = failed.hint().unwrap_or_default().to_owned() + failed.message();
    assert!(text.contains("trust_server_certificate"), "{failed:?}");
    assert_eq!(server.state().logins, 0);
}

#[tokio::test]
async fn server_without_encryption_is_rejected() {
    let server = FakeServer::start().await;
    let failed = runner(options(&server, "trust_server_certificate=true"), &FILES)
        .up()
        .await
        .unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Connect);
    assert!(failed.message().contains("does not encrypt"), "{failed}");
    assert!(failed.hint().unwrap().contains("encrypt=false"));
    assert_eq!(server.state().logins, 0);
}
