//! Failover: a primary that dies, and a standby that is promoted.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lockage_core::{ErrorKind, LockStrategy, Outcome};
use lockage_test_matrix::engine::PostgresServer;
use lockage_testkit::TestError;

use crate::error_checks::{expect_error, hint_contains};
use crate::migrations::{runner, spawn_up, with_lock_strategy};
use crate::private_server;
use crate::sql_client::{connect, first_column};
use crate::tcp_proxy::Proxy;
use crate::test_database::{LOCK_HELD, SLEEPING, TestDatabase};

crate::tests!(
    run_continues_on_promoted_standby,
    run_waits_for_standby_promotion,
    standby_rejects_writes_and_allows_reads,
);

/// A standby, which is killed when it is dropped.
struct Standby {
    process: Child,
    port: u16,
}

impl Standby {
    /// Copies a primary, and starts a server that replicates it.
    fn start(primary: &PostgresServer) -> Result<Self, TestError> {
        let binaries = PostgresServer::find(crate::search_path()).ok_or("no binaries")?;
        let owner = std::fs::metadata(primary.folder())?;
        let own = std::fs::metadata("/proc/self")?;
        let data = primary.folder().join("standby");
        let command = |program: &str| {
            let mut command = Command::new(binaries.join(program));
            if own.uid() == 0 {
                command.uid(owner.uid()).gid(owner.gid());
            }
            command.current_dir(primary.folder()).stdin(Stdio::null());
            command
        };
        let copied = command("pg_basebackup")
            .args([
                "--write-recovery-conf",
                "--checkpoint=fast",
                "--no-sync",
                "--dbname",
            ])
            .arg(primary.url("postgres"))
            .arg("--pgdata")
            .arg(&data)
            .output()?;
        if !copied.status.success() {
            return Err(String::from_utf8_lossy(&copied.stderr).into_owned().into());
        }
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let process = command("postgres")
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "unix_socket_directories="])
            .args([
                "-c",
                "shared_buffers=32MB",
                "-c",
                "max_connections=300",
                "-c",
                "fsync=off",
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { process, port })
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn run_continues_on_promoted_standby(_: &TestDatabase) -> Result<(), TestError> {
    let mut primary = private_server::start(crate::search_path(), &[])?;
    let database = TestDatabase::new(primary.url("postgres")).await?;
    let standby = Standby::start(&primary)?;
    let port = primary.port();
    let both_hosts = format!("{},{}", database.host(), standby.host());
    let url = database.url_at(&both_hosts) + "?target_session_attrs=read-write";
    let sleep = format!(
        "CREATE TABLE b (n int); INSERT INTO a VALUES (2); SELECT pg_sleep(600) WHERE inet_server_port() = {port}"
    );
    let files = [
        (
            "V1__a.sql",
            "CREATE TABLE a (n int); INSERT INTO a VALUES (1)",
        ),
        ("V2__b.sql", &*sleep),
        ("V3__c.sql", "INSERT INTO a VALUES (3)"),
    ];
    let running = spawn_up(runner(&url, &files)?);
    database.wait_until(SLEEPING).await?;
    let promoted = connect_in_sync(&database.url_at(&standby.host())).await?;
    primary.kill()?;
    promoted.batch_execute("SELECT pg_promote()").await?;
    let report = running.await??;
    assert_eq!(report.applied.len(), 3, "{report:?}");
    assert_eq!(
        first_column(&promoted, "SELECT n FROM a ORDER BY n").await?,
        ["1", "2", "3"]
    );
    Ok(())
}

/// Connects to a standby, once it has started and has replicated the first row.
async fn connect_in_sync(url: &str) -> Result<tokio_postgres::Client, TestError> {
    loop {
        if let Ok(client) = connect(url).await
            && first_column(&client, "SELECT n FROM a")
                .await
                .is_ok_and(|rows| rows == ["1"])
        {
            return Ok(client);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The address of the primary moves to the standby before the promotion.
async fn run_waits_for_standby_promotion(_: &TestDatabase) -> Result<(), TestError> {
    for strategy in [LockStrategy::Auto, LockStrategy::Table] {
        let mut primary = private_server::start(crate::search_path(), &[])?;
        let database = TestDatabase::new(primary.url("postgres")).await?;
        database
            .execute("CREATE TABLE a (n int); INSERT INTO a VALUES (1)")
            .await?;
        let standby = Standby::start(&primary)?;
        let promoted = connect_in_sync(&database.url_at(&standby.host())).await?;
        let proxy = Proxy::start(database.host()).await?;
        let sleep = format!(
            "INSERT INTO a VALUES (2); SELECT pg_sleep(600) WHERE inet_server_port() = {}",
            primary.port()
        );
        let runner = runner(&proxy.url(&database), &[("V1__b.sql", &*sleep)])?;
        let running = spawn_up(with_lock_strategy(runner, strategy));
        database.wait_until(SLEEPING).await?;
        proxy.redirect_to(&standby.host());
        primary.kill()?;
        // An attempt takes a few round trips: after 20, the run has tried the standby more than once.
        let before = proxy.round_trips();
        while proxy.round_trips() < before + 20 && !running.is_finished() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(!running.is_finished(), "{strategy:?}: the run did not wait");
        promoted.batch_execute("SELECT pg_promote()").await?;
        let report = running.await??;
        assert_eq!(report.applied.len(), 1, "{strategy:?}: {report:?}");
        assert_eq!(
            first_column(&promoted, "SELECT n FROM a ORDER BY n").await?,
            ["1", "2"]
        );
    }
    Ok(())
}

async fn standby_rejects_writes_and_allows_reads(_: &TestDatabase) -> Result<(), TestError> {
    let primary = private_server::start(crate::search_path(), &[])?;
    let database = TestDatabase::new(primary.url("postgres")).await?;
    database
        .execute("CREATE TABLE a (n int); INSERT INTO a VALUES (1)")
        .await?;
    let standby = Standby::start(&primary)?;
    let url = database.url_at(&standby.host());
    let client = connect_in_sync(&url).await?;
    for strategy in [LockStrategy::Auto, LockStrategy::Table] {
        let runner = runner(&url, &[("V1__b.sql", "INSERT INTO a VALUES (2)")])?;
        let runner = with_lock_strategy(runner, strategy);
        let error = expect_error(runner.clone(), ErrorKind::Connect).await?;
        assert!(
            error.message().contains("standby") && hint_contains(&error, "target_session_attrs"),
            "{error:?}"
        );
        assert_eq!(runner.check().await?.outcome, Outcome::Pending);
        assert!(runner.lock_holder().await?.is_none());
    }
    assert!(first_column(&client, LOCK_HELD).await?.is_empty());
    Ok(())
}
