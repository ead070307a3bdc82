//! A primary that dies, and the standby that takes its place.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lockage_testkit::Failure;
use lockage_testkit::engine::PostgresServer;

use crate::dock;
use crate::place::{Place, connect, runner, texts, until};

crate::tests!(a_run_goes_on_at_the_standby_that_takes_the_primarys_place);

/// Ends when dropped.
struct Standby {
    process: Child,
    port: u16,
}

impl Standby {
    /// A copy of a primary that follows it.
    fn start(primary: &PostgresServer) -> Result<Self, Failure> {
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
) -> Result<(), Failure> {
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
    let heir = loop {
        // It may still be starting, and behind.
        if let Ok(heir) = connect(&at_standby).await
            && texts(&heir, "SELECT n FROM a")
                .await
                .is_ok_and(|rows| rows == ["1"])
        {
            break heir;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
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
