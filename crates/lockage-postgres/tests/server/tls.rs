//! Encryption: a server with a certificate, and every `sslmode`.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use lockage_core::{ConnectOptions, Error, ErrorKind};
use lockage_postgres::BACKEND;
use lockage_testkit::TestError;
use lockage_test_matrix::engine::PostgresServer;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::place::{Place, connect, texts};

crate::tests!(
    every_sslmode_trusts_as_far_as_it_says,
    a_server_that_signs_for_itself_can_be_named,
    a_file_without_certificates_is_told
);

/// A server that speaks TLS with a certificate for `localhost`.
struct Encrypted {
    server: PostgresServer,
    authority: PathBuf,
    stranger: PathBuf,
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test program reads its environment"
)]
async fn start(own_signature: bool) -> Result<Encrypted, TestError> {
    let path = std::env::var("PATH").unwrap_or_default();
    let binaries = PostgresServer::find(&path).ok_or("needs binaries of the server")?;
    let server = PostgresServer::start(&binaries, &[])?;
    let folder = server.folder().to_owned();

    let key = KeyPair::generate()?;
    let parameters = CertificateParams::new(["localhost".to_owned()])?;
    let authority = self::authority()?;
    let certificate = match own_signature {
        true => parameters.self_signed(&key)?,
        false => parameters.signed_by(&key, &authority)?,
    };
    let known = if own_signature {
        certificate.pem()
    } else {
        authority.pem()
    };
    let client = connect(&server.url("postgres")).await?;
    for (name, text) in [
        ("server.crt", certificate.pem()),
        ("server.key", key.serialize_pem()),
    ] {
        give(&folder, name, &text)?;
        let setting = if name.ends_with("key") {
            "ssl_key_file"
        } else {
            "ssl_cert_file"
        };
        client
            .batch_execute(&format!(
                "ALTER SYSTEM SET {setting} = '{}'",
                folder.join(name).display()
            ))
            .await?;
    }
    client.batch_execute("ALTER SYSTEM SET ssl = on").await?;
    client.batch_execute("SELECT pg_reload_conf()").await?;
    while texts(&connect(&server.url("postgres")).await?, "SHOW ssl").await? != ["on"] {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let encrypted = Encrypted {
        server,
        authority: folder.join("authority.crt"),
        stranger: folder.join("stranger.crt"),
    };
    std::fs::write(&encrypted.authority, known)?;
    std::fs::write(&encrypted.stranger, self::authority()?.pem())?;
    Ok(encrypted)
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, TestError> {
    let mut parameters = CertificateParams::new([])?;
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok(CertifiedIssuer::self_signed(
        parameters,
        KeyPair::generate()?,
    )?)
}

/// Writes a file that belongs to the user of the server.
fn give(folder: &Path, name: &str, text: &str) -> Result<(), TestError> {
    let path = folder.join(name);
    std::fs::write(&path, text)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let owner = folder.metadata()?;
    Ok(chown(&path, Some(owner.uid()), Some(owner.gid()))?)
}

impl Encrypted {
    fn url(&self, host: &str, parameters: &str) -> String {
        self.server.url("postgres").replace("127.0.0.1", host) + "?" + parameters
    }

    /// Whether a session is encrypted.
    async fn session(&self, host: &str, parameters: &str) -> Result<bool, Error> {
        let options = ConnectOptions::new(self.url(host, parameters))?;
        let mut session = BACKEND.connect(&options).await?;
        let client = connect(&self.server.url("postgres"))
            .await
            .expect("a server that takes connections");
        let look = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name LIKE 'lockage@%'";
        let seen = texts(&client, look).await.expect("an answer");
        // A cancelled statement takes the same way as a session.
        session.canceller().cancel().await?;
        let _ = session.history().await;
        session.close().await?;
        while !texts(&client, look).await.expect("an answer").is_empty() {}
        Ok(seen == ["t"])
    }
}

async fn every_sslmode_trusts_as_far_as_it_says(_: &Place) -> Result<(), TestError> {
    let server = start(false).await?;
    let known = format!("&sslrootcert={}", server.authority.display());
    let strange = format!("&sslrootcert={}", server.stranger.display());
    for (host, parameters, encrypted) in [
        ("127.0.0.1", "sslmode=disable".to_owned(), false),
        ("127.0.0.1", String::new(), true),
        ("127.0.0.1", "sslmode=prefer".to_owned(), true),
        ("127.0.0.1", "sslmode=require".to_owned(), true),
        ("127.0.0.1", format!("sslmode=require{known}"), true),
        ("127.0.0.1", format!("sslmode=verify-ca{known}"), true),
        ("localhost", format!("sslmode=verify-full{known}"), true),
        // Where the address is said apart from the name, the name counts.
        (
            "localhost",
            format!("sslmode=verify-full{known}&hostaddr=127.0.0.1&channel_binding=require"),
            true,
        ),
    ] {
        assert_eq!(
            server.session(host, &parameters).await?,
            encrypted,
            "{host} {parameters}"
        );
    }
    for (host, parameters) in [
        ("127.0.0.1", format!("sslmode=verify-full{known}")),
        ("localhost", format!("sslmode=verify-full{strange}")),
        ("localhost", format!("sslmode=verify-ca{strange}")),
        ("localhost", format!("sslmode=require{strange}")),
        ("localhost", "sslmode=verify-full".to_owned()),
    ] {
        let error = server
            .session(host, &parameters)
            .await
            .err()
            .ok_or("trusted")?;
        assert_eq!(error.kind(), ErrorKind::Connect, "{parameters}: {error:?}");
        assert!(
            !error.is_temporary() && error.message().contains("certificate"),
            "{parameters}: {error:?}"
        );
        assert!(
            error
                .hint()
                .is_some_and(|hint| hint.contains("sslrootcert")),
            "{error:?}"
        );
    }
    Ok(())
}

async fn a_server_that_signs_for_itself_can_be_named(_: &Place) -> Result<(), TestError> {
    let server = start(true).await?;
    let known = format!("&sslrootcert={}", server.authority.display());
    assert!(
        server
            .session("localhost", &format!("sslmode=verify-full{known}"))
            .await?
    );
    assert!(
        server
            .session("127.0.0.1", &format!("sslmode=verify-ca{known}"))
            .await?
    );
    let error = server
        .session("127.0.0.1", &format!("sslmode=verify-full{known}"))
        .await
        .err()
        .ok_or("trusted")?;
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
    let strange = format!(
        "sslmode=verify-ca&sslrootcert={}",
        server.stranger.display()
    );
    assert!(server.session("localhost", &strange).await.is_err());
    Ok(())
}

async fn a_file_without_certificates_is_told(_: &Place) -> Result<(), TestError> {
    let empty = tempfile::NamedTempFile::new()?;
    for file in [
        "/nowhere/ca.pem".to_owned(),
        empty.path().display().to_string(),
    ] {
        let options = ConnectOptions::new(format!(
            "postgres://app@localhost/x?sslmode=verify-ca&sslrootcert={file}"
        ))?;
        let error = BACKEND.connect(&options).await.err().ok_or("trusted")?;
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.message().contains(&file), "{error}");
    }
    Ok(())
}
