//! PgBouncer in front of a test database.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lockage_testkit::TestError;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::sql_client::connect;
use crate::test_database::TestDatabase;

/// The number of server sessions of the pool.
pub(crate) const POOL_SIZE: usize = 3;

/// The user id of `nobody`.
const NOBODY_ID: u32 = 65534;

/// A PgBouncer process, which ends when it is dropped.
pub(crate) struct PgBouncer {
    process: Child,
    url: String,
    _folder: TempDir,
}

impl PgBouncer {
    /// Starts PgBouncer with this `pool_mode`.
    pub(crate) async fn start(database: &TestDatabase, pool_mode: &str) -> Result<Self, TestError> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind(("127.0.0.1", 0))
            .await?
            .local_addr()?
            .port();
        let (host, server_port) = database
            .host()
            .rsplit_once(':')
            .ok_or("a host without a port")?;
        let url: tokio_postgres::Config = database.url().parse()?;
        let user = url.get_user().ok_or("a URL without a user")?;
        let password =
            String::from_utf8_lossy(url.get_password().unwrap_or_default()).replace('\'', "''");
        let config = format!(
            "[databases]\n* = host={host} port={server_port} user={user} password='{password}'\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {pool_mode}\ndefault_pool_size = {POOL_SIZE}\n"
        );
        let path = folder.path().join("pgbouncer.ini");
        std::fs::write(&path, config)?;
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755))?;
        let mut command = Command::new(program().ok_or("no pgbouncer")?);
        command
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
            // PgBouncer refuses to run as root.
            command.uid(NOBODY_ID).gid(NOBODY_ID);
        }
        let pooler = Self {
            process: command.spawn()?,
            url: format!("postgres://{user}@127.0.0.1:{port}/{}", database.name()),
            _folder: folder,
        };
        let ready = async {
            while connect(&pooler.url).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), ready)
            .await
            .map_err(|_| "PgBouncer does not answer")?;
        Ok(pooler)
    }

    /// Returns the URL of the database through PgBouncer.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns the program that `LOCKAGE_TEST_PGBOUNCER` names, or the installed one.
#[expect(
    clippy::disallowed_methods,
    reason = "a test program reads its environment"
)]
fn program() -> Option<PathBuf> {
    let installed = [
        "/usr/sbin/pgbouncer",
        "/usr/bin/pgbouncer",
        "/usr/local/bin/pgbouncer",
    ];
    match std::env::var_os("LOCKAGE_TEST_PGBOUNCER") {
        Some(named) => Some(named.into()),
        None => installed
            .map(PathBuf::from)
            .into_iter()
            .find(|path| path.exists()),
    }
}

/// Returns why PgBouncer cannot be started.
pub(crate) fn unavailable_reason() -> Option<String> {
    program()
        .is_none()
        .then(|| "no pgbouncer: install its package".into())
}
