use std::sync::Arc;

use lockage_core::{ConnectOptions, ErrorKind};
use lockage_sqlserver::lockage_core;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::runner;
use crate::tds::Server;

const FILES: [(&str, &str); 1] = [("V1__a.sql", "SELECT 1")];

/// A server that signs for itself, and its certificate.
async fn encrypting() -> (Server, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let certificate = CertificateDer::from(made.cert.der().to_vec());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let server = Server::encrypting(TlsAcceptor::from(Arc::new(config))).await;
    (server, made.cert.pem())
}

fn options(server: &Server, parameters: &str) -> ConnectOptions {
    let url = format!(
        "sqlserver://app:secret@localhost:{}/shop?{parameters}",
        server.port()
    );
    ConnectOptions::new(url).unwrap()
}

#[tokio::test]
async fn a_certificate_is_trusted_when_the_url_says_so() {
    let (server, pem) = encrypting().await;
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
    assert_eq!(server.world().applied(), ["1"]);
}

#[tokio::test]
async fn an_unknown_certificate_is_refused_with_a_way_out() {
    let (server, _) = encrypting().await;
    let refused = runner(options(&server, ""), &FILES).up().await.unwrap_err();
    let told = refused.hint().unwrap_or_default().to_owned() + refused.message();
    assert!(told.contains("trust_server_certificate"), "{refused:?}");
    assert_eq!(server.world().logins, 0);
}

#[tokio::test]
async fn a_server_that_does_not_encrypt_is_refused() {
    let server = Server::start().await;
    let refused = runner(options(&server, "trust_server_certificate=true"), &FILES)
        .up()
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Connect);
    assert!(refused.message().contains("does not encrypt"), "{refused}");
    assert!(refused.hint().unwrap().contains("encrypt=false"));
    assert_eq!(server.world().logins, 0);
}
