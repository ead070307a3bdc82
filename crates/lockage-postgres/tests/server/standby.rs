//! A primary that dies, and the standby that takes its place.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lockage_core::{ErrorKind, LockStrategy, Outcome};
use lockage_testkit::TestError;
use lockage_test_matrix::engine::PostgresServer;

use crate::dock;
use crate::place::{Place, connect, runner, texts, until};
use crate::proxy::Proxy;

crate::tests!(
    a_run_goes_on_at_the_standby_that_takes_the_primarys_place,
    a_run_waits_until_the_standby_is_the_primary,
    a_standby_is_told_and_may_be_looked_at,
);

/// Ends when dropped.
struct Standby {
    process: Child,
    port: u16,
}

impl Standby {
    /// A copy of a primary that follows it.
    fn start(primary: &PostgresServer) -> Result<Self, TestError> {
        let binaries = PostgresServer::find(crate::path()).ok_or("no binaries")?;
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
}

impl Drop for Standby {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn a_run_goes_on_at_the_standby_that_takes_the_primarys_place(
    _: &Place,
) -> Result<(), TestError> {
    let mut primary = dock::server(crate::path(), &[])?;
    let place = Place::new(primary.url("postgres")).await?;
    let standby = Standby::start(&primary)?;
    let port = primary.port();
    let at_standby = place
        .url()
        .replace(&format!(":{port}/"), &format!(":{}/", standby.port));
    let both = place.url().replace(
        &format!(":{port}/"),
        &format!(":{port},127.0.0.1:{}/", standby.port),
    ) + "?target_session_attrs=read-write";
    let sleeps = format!(
        "CREATE TABLE b (n int); INSERT INTO a VALUES (2); SELECT pg_sleep(600) WHERE inet_server_port() = {port}"
    );
    let files = [
        (
            "V1__a.sql",
            "CREATE TABLE a (n int); INSERT INTO a VALUES (1)",
        ),
        ("V2__b.sql", &*sleeps),
        ("V3__c.sql", "INSERT INTO a VALUES (3)"),
    ];
    let runner = runner(&both, &files)?;
    let running = tokio::spawn(async move { runner.up().await });
    until(
        &place.client().await?,
        "SELECT 1 FROM here.sessions WHERE wait_event = 'PgSleep'",
    )
    .await?;
    let heir = caught_up(&at_standby).await?;
    primary.kill()?;
    heir.batch_execute("SELECT pg_promote()").await?;
    let report = running.await??;
    assert_eq!(report.applied.len(), 3, "{report:?}");
    assert_eq!(
        texts(&heir, "SELECT n FROM a ORDER BY n").await?,
        ["1", "2", "3"]
    );
    Ok(())
}

/// Waits for a standby that may still be starting, and behind.
async fn caught_up(url: &str) -> Result<tokio_postgres::Client, TestError> {
    loop {
        if let Ok(heir) = connect(url).await
            && texts(&heir, "SELECT n FROM a")
                .await
                .is_ok_and(|rows| rows == ["1"])
        {
            return Ok(heir);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// As behind an address that moves to the standby before that is the primary.
async fn a_run_waits_until_the_standby_is_the_primary(_: &Place) -> Result<(), TestError> {
    for strategy in [LockStrategy::Auto, LockStrategy::Table] {
        let mut primary = dock::server(crate::path(), &[])?;
        let place = Place::new(primary.url("postgres")).await?;
        place
            .execute("CREATE TABLE a (n int); INSERT INTO a VALUES (1)")
            .await?;
        let standby = Standby::start(&primary)?;
        let (here, there) = (
            format!("127.0.0.1:{}", primary.port()),
            format!("127.0.0.1:{}", standby.port),
        );
        let heir = caught_up(&place.url().replace(&here, &there)).await?;
        let proxy = Proxy::start(&here).await?;
        let sleeps = format!(
            "INSERT INTO a VALUES (2); SELECT pg_sleep(600) WHERE inet_server_port() = {}",
            primary.port()
        );
        let url = place
            .url()
            .replace(&here, &format!("127.0.0.1:{}", proxy.port));
        let runner = runner(&url, &[("V1__b.sql", &*sleeps)])?
            .connect_options(|options| options.lock_strategy = strategy);
        let running = tokio::spawn(async move { runner.up().await });
        until(
            &place.client().await?,
            "SELECT 1 FROM here.sessions WHERE wait_event = 'PgSleep'",
        )
        .await?;
        proxy.lead_to(&there);
        primary.kill()?;
        // Each try takes a few turns: the standby was asked more than once.
        let before = proxy.turns();
        while proxy.turns() < before + 20 && !running.is_finished() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(!running.is_finished(), "{strategy:?}: it did not wait");
        heir.batch_execute("SELECT pg_promote()").await?;
        let report = running.await??;
        assert_eq!(report.applied.len(), 1, "{strategy:?}: {report:?}");
        assert_eq!(
            texts(&heir, "SELECT n FROM a ORDER BY n").await?,
            ["1", "2"]
        );
    }
    Ok(())
}

async fn a_standby_is_told_and_may_be_looked_at(_: &Place) -> Result<(), TestError> {
    let primary = dock::server(crate::path(), &[])?;
    let place = Place::new(primary.url("postgres")).await?;
    place
        .execute("CREATE TABLE a (n int); INSERT INTO a VALUES (1)")
        .await?;
    let standby = Standby::start(&primary)?;
    let url = place.url().replace(
        &format!(":{}/", primary.port()),
        &format!(":{}/", standby.port),
    );
    let heir = caught_up(&url).await?;
    for strategy in [LockStrategy::Auto, LockStrategy::Table] {
        let runner = runner(&url, &[("V1__b.sql", "INSERT INTO a VALUES (2)")])?
            .connect_options(|options| options.lock_strategy = strategy);
        let error = runner.up().await.err().ok_or("a standby was written")?;
        assert_eq!(error.kind(), ErrorKind::Connect, "{strategy:?}: {error:?}");
        assert!(
            error.message().contains("standby")
                && error
                    .hint()
                    .is_some_and(|hint| hint.contains("target_session_attrs")),
            "{error:?}"
        );
        assert_eq!(runner.check().await?.outcome, Outcome::Pending);
        assert!(runner.lock_holder().await?.is_none());
    }
    let held = "SELECT 1 FROM here.locks WHERE locktype = 'advisory'";
    assert!(texts(&heir, held).await?.is_empty());
    Ok(())
}
