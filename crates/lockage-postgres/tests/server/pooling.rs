//! A pooler between us and the server.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lockage_core::{ErrorKind, Outcome};
use lockage_testkit::Failure;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::place::{Place, connect, runner, texts};

crate::tests!(
    a_pooler_that_keeps_no_session_is_found_out_before_anything_is_written,
    a_pooler_that_keeps_sessions_serves
);

/// PgBouncer before the database of a place.
struct Pooler {
    process: Child,
    url: String,
    _folder: TempDir,
}

impl Pooler {
    async fn start(place: &Place, mode: &str) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind(("127.0.0.1", 0))
            .await?
            .local_addr()?
            .port();
        let (host, server_port) = place
            .host()
            .rsplit_once(':')
            .ok_or("a host without a port")?;
        let url: tokio_postgres::Config = place.url().parse()?;
        let user = url.get_user().ok_or("no user")?;
        let password =
            String::from_utf8_lossy(url.get_password().unwrap_or_default()).replace('\'', "''");
        let config = format!(
            "[databases]\n* = host={host} port={server_port} user={user} password='{password}'\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\ndefault_pool_size = 3\n"
        );
        let path = folder.path().join("pgbouncer.ini");
        std::fs::write(&path, config)?;
        std::fs::set_permissions(
            folder.path(),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )?;
        let mut command = Command::new(binary().ok_or("no pgbouncer")?);
        command
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if std::fs::metadata("/proc/self")
            .is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
        {
            // It refuses to be root.
            command.uid(65534).gid(65534);
        }
        let process = command.spawn()?;
        let pooler = Self {
            process,
            url: format!("postgres://{user}@127.0.0.1:{port}/{}", place.name()),
            _folder: folder,
        };
        let up = async {
            while connect(&pooler.url).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), up)
            .await
            .map_err(|_| "PgBouncer does not answer")?;
        Ok(pooler)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn binary() -> Option<&'static str> {
    [
        "/usr/sbin/pgbouncer",
        "/usr/bin/pgbouncer",
        "/usr/local/bin/pgbouncer",
    ]
    .into_iter()
    .find(|path| Path::new(path).exists())
}

/// Why these tests cannot run here.
pub(crate) fn lacks() -> Option<String> {
    binary()
        .is_none()
        .then(|| "no pgbouncer: install its package".into())
}

const FILES: &[(&str, &str)] = &[
    ("V1__a.sql", "CREATE TABLE a (n int)"),
    ("V2__b.sql", "INSERT INTO a VALUES (1)"),
];

async fn a_pooler_that_keeps_no_session_is_found_out_before_anything_is_written(
    place: &Place,
) -> Result<(), Failure> {
    for mode in ["transaction", "statement"] {
        let pooler = Pooler::start(place, mode).await?;
        let error = runner(&pooler.url, FILES)?
            .up()
            .await
            .err()
            .ok_or("migrated through it")?;
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
        assert!(
            error
                .hint()
                .is_some_and(|hint| hint.contains("session pooling")),
            "{error:?}"
        );
        assert!(
            place
                .texts("SELECT 1 FROM pg_tables WHERE schemaname = 'public'")
                .await?
                .is_empty()
        );
        assert!(
            place
                .texts("SELECT 1 FROM here.locks WHERE locktype = 'advisory'")
                .await?
                .is_empty()
        );
        // Looking is harmless through any pooler.
        assert_eq!(
            runner(&pooler.url, FILES)?.check().await?.outcome,
            Outcome::Pending
        );
    }
    Ok(())
}

async fn a_pooler_that_keeps_sessions_serves(place: &Place) -> Result<(), Failure> {
    let pooler = Pooler::start(place, "session").await?;
    let mut replicas = Vec::new();
    for _ in 0..2 {
        let runner = runner(&pooler.url, FILES)?;
        replicas.push(tokio::spawn(async move { runner.up().await }));
    }
    for replica in replicas {
        replica.await??;
    }
    assert_eq!(place.text("SELECT count(*) FROM a").await?, "1");
    // The pool is used up to the last session: ours was kept for us.
    let others = [connect(&pooler.url).await?, connect(&pooler.url).await?];
    for other in &others {
        texts(other, "SELECT 1").await?;
    }
    let more = [FILES, &[("V3__c.sql", "INSERT INTO a VALUES (2)")]].concat();
    runner(&pooler.url, &more)?.up().await?;
    assert_eq!(place.text("SELECT count(*) FROM a").await?, "2");
    Ok(())
}
