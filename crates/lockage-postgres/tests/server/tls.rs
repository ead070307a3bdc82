//! TLS: a server with a certificate, and every `sslmode`.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use lockage_core::{ConnectOptions, Error, ErrorKind};
use lockage_postgres::BACKEND;
use lockage_test_matrix::engine::PostgresServer;
use lockage_testkit::TestError;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::error_checks::{error_of, hint_contains};
use crate::private_server;
use crate::sql_client::{connect, first_column};
use crate::test_database::TestDatabase;

crate::tests!(
    every_sslmode_verifies_certificates_as_documented,
    self_signed_certificate_can_be_trusted,
    certificate_file_without_certificates_is_an_error
);

/// A server with TLS and a certificate for `localhost`.
struct TlsServer {
    server: PostgresServer,
    /// The certificate of the authority that signed the server's certificate.
    authority: PathBuf,
    /// The certificate of another authority.
    other_authority: PathBuf,
}

/// Starts a server. Its certificate is self-signed, or signed by an authority.
async fn start(self_signed: bool) -> Result<TlsServer, TestError> {
    let server = private_server::start(crate::search_path(), &[])?;
    let folder = server.folder().to_owned();

    let key = KeyPair::generate()?;
    let parameters = CertificateParams::new(["localhost".to_owned()])?;
    let authority = create_ca()?;
    let (certificate, trusted) = if self_signed {
        let certificate = parameters.self_signed(&key)?;
        let trusted = certificate.pem();
        (certificate, trusted)
    } else {
        (parameters.signed_by(&key, &authority)?, authority.pem())
    };
    let client = connect(&server.url("postgres")).await?;
    for (setting, name, text) in [
        ("ssl_cert_file", "server.crt", certificate.pem()),
        ("ssl_key_file", "server.key", key.serialize_pem()),
    ] {
        write_server_file(&folder, name, &text)?;
        client
            .batch_execute(&format!(
                "ALTER SYSTEM SET {setting} = '{}'",
                folder.join(name).display()
            ))
            .await?;
    }
    client.batch_execute("ALTER SYSTEM SET ssl = on").await?;
    client.batch_execute("SELECT pg_reload_conf()").await?;
    while first_column(&connect(&server.url("postgres")).await?, "SHOW ssl").await? != ["on"] {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let tls = TlsServer {
        server,
        authority: folder.join("authority.crt"),
        other_authority: folder.join("other_authority.crt"),
    };
    std::fs::write(&tls.authority, trusted)?;
    std::fs::write(&tls.other_authority, create_ca()?.pem())?;
    Ok(tls)
}

/// Creates a certificate authority.
fn create_ca() -> Result<CertifiedIssuer<'static, KeyPair>, TestError> {
    let mut parameters = CertificateParams::new([])?;
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok(CertifiedIssuer::self_signed(
        parameters,
        KeyPair::generate()?,
    )?)
}

/// Writes a file that belongs to the user of the server.
fn write_server_file(folder: &Path, name: &str, text: &str) -> Result<(), TestError> {
    let path = folder.join(name);
    std::fs::write(&path, text)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let owner = folder.metadata()?;
    Ok(chown(&path, Some(owner.uid()), Some(owner.gid()))?)
}

impl TlsServer {
    fn url(&self, host: &str, parameters: &str) -> String {
        self.server.url("postgres").replace("127.0.0.1", host) + "?" + parameters
    }

    /// Connects, cancels a statement and closes the session. Returns whether the session is encrypted.
    async fn is_encrypted(&self, host: &str, parameters: &str) -> Result<bool, Error> {
        let options = ConnectOptions::new(self.url(host, parameters))?;
        let mut session = BACKEND.connect(&options).await?;
        let client = connect(&self.server.url("postgres"))
            .await
            .expect("a running server");
        let encryption = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name LIKE 'lockage@%'";
        let seen = first_column(&client, encryption).await.expect("a reply");
        // A cancel request uses a connection of its own, which must be encrypted in the same way.
        session.canceller().cancel().await?;
        let _ = session.history().await;
        session.close().await?;
        while !first_column(&client, encryption)
            .await
            .expect("a reply")
            .is_empty()
        {}
        Ok(seen == ["t"])
    }
}

async fn every_sslmode_verifies_certificates_as_documented(
    _: &TestDatabase,
) -> Result<(), TestError> {
    let server = start(false).await?;
    let trusted = format!("&sslrootcert={}", server.authority.display());
    let untrusted = format!("&sslrootcert={}", server.other_authority.display());
    for (host, parameters, encrypted) in [
        ("127.0.0.1", "sslmode=disable".to_owned(), false),
        ("127.0.0.1", String::new(), true),
        ("127.0.0.1", "sslmode=prefer".to_owned(), true),
        ("127.0.0.1", "sslmode=require".to_owned(), true),
        ("127.0.0.1", format!("sslmode=require{trusted}"), true),
        ("127.0.0.1", format!("sslmode=verify-ca{trusted}"), true),
        ("localhost", format!("sslmode=verify-full{trusted}"), true),
        // With `hostaddr`, the certificate must still match the host name.
        (
            "localhost",
            format!("sslmode=verify-full{trusted}&hostaddr=127.0.0.1&channel_binding=require"),
            true,
        ),
    ] {
        assert_eq!(
            server.is_encrypted(host, &parameters).await?,
            encrypted,
            "{host} {parameters}"
        );
    }
    for (host, parameters) in [
        ("127.0.0.1", format!("sslmode=verify-full{trusted}")),
        ("localhost", format!("sslmode=verify-full{untrusted}")),
        ("localhost", format!("sslmode=verify-ca{untrusted}")),
        ("localhost", format!("sslmode=require{untrusted}")),
        ("localhost", "sslmode=verify-full".to_owned()),
    ] {
        let error = error_of(
            server.is_encrypted(host, &parameters).await,
            ErrorKind::Connect,
        )?;
        assert!(
            !error.is_temporary() && error.message().contains("certificate"),
            "{parameters}: {error:?}"
        );
        assert!(hint_contains(&error, "sslrootcert"), "{error:?}");
    }
    Ok(())
}

async fn self_signed_certificate_can_be_trusted(_: &TestDatabase) -> Result<(), TestError> {
    let server = start(true).await?;
    let trusted = format!("&sslrootcert={}", server.authority.display());
    assert!(
        server
            .is_encrypted("localhost", &format!("sslmode=verify-full{trusted}"))
            .await?
    );
    assert!(
        server
            .is_encrypted("127.0.0.1", &format!("sslmode=verify-ca{trusted}"))
            .await?
    );
    error_of(
        server
            .is_encrypted("127.0.0.1", &format!("sslmode=verify-full{trusted}"))
            .await,
        ErrorKind::Connect,
    )?;
    let untrusted = format!(
        "sslmode=verify-ca&sslrootcert={}",
        server.other_authority.display()
    );
    assert!(server.is_encrypted("localhost", &untrusted).await.is_err());
    Ok(())
}

async fn certificate_file_without_certificates_is_an_error(
    _: &TestDatabase,
) -> Result<(), TestError> {
    let empty = tempfile::NamedTempFile::new()?;
    for file in [
        "/missing/ca.pem".to_owned(),
        empty.path().display().to_string(),
    ] {
        let options = ConnectOptions::new(format!(
            "postgres://app@localhost/x?sslmode=verify-ca&sslrootcert={file}"
        ))?;
        let error = error_of(BACKEND.connect(&options).await, ErrorKind::InvalidConfig)?;
        assert!(error.message().contains(&file), "{error}");
    }
    Ok(())
}
