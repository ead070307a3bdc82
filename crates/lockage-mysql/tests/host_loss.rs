//! Holders that vanish without closing their connection: their host is cut off the network, or their process is frozen. The processes run
//! in network namespaces, which drop all packets in both directions.

mod direct_client;
mod host_loss {
    pub(crate) mod holder;
}
mod lock_client;
mod runner;
mod test_server;
mod trial;

use std::io::Write;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use direct_client::{execute, texts, with_database};
use host_loss::holder::{CHILD, HolderProcess, run_as_child};
use libtest_mimic::Arguments;
use lock_client::{connect, lock_when_free};
use lockage_mysql::lockage_core::{BoxFuture, LockKey, Outcome};
use lockage_test_matrix::engine::{MariadbSource, NetworkNamespace};
use lockage_testkit::{TestError, unique_name};
use runner::runner;
use rustix::process::Signal;
use trial::trial;

/// How long a vanished holder may keep the lock while it is idle, or while its result is not acknowledged.
const MAX_RELEASE_DELAY: Duration = Duration::from_secs(30);

/// The maximum duration of each wait.
const TIMEOUT: Duration = Duration::from_secs(180);

type Test = for<'a> fn(&'a TestDatabase) -> BoxFuture<'a, Result<(), TestError>>;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(CHILD) {
        return run_as_child();
    }
    let source = Arc::new(test_server::find_test_server());
    let namespace_unavailable = NetworkNamespace::unavailable_reason();
    let tests: [(&str, bool, Test); 5] = [
        (
            "idle_holder_with_lost_host_releases_lock",
            true,
            |database| Box::pin(idle_holder(database)),
        ),
        (
            "busy_holder_with_lost_host_releases_lock",
            true,
            |database| Box::pin(busy_holder(database)),
        ),
        ("holder_with_lost_ack_releases_lock", true, |database| {
            Box::pin(lost_ack(database))
        }),
        ("run_ends_when_server_vanishes", true, |database| {
            Box::pin(vanished_server(database))
        }),
        ("frozen_holder_writes_nothing", false, |database| {
            Box::pin(frozen_holder(database))
        }),
    ];
    let trials = tests.into_iter().map(|(name, needs_namespace, test)| {
        let skip_reason = match (&*source, &namespace_unavailable) {
            (Err(reason), _) => Some(reason.clone()),
            (_, Some(reason)) if needs_namespace => Some(reason.clone()),
            _ => None,
        };
        let source = Arc::clone(&source);
        trial(name, skip_reason, move || async move {
            in_database(&source, test).await
        })
    });
    let mut arguments = Arguments::from_args();
    // The tests wait most of the time.
    arguments.test_threads = arguments.test_threads.or(Some(4));
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

async fn in_database(source: &Result<MariadbSource, String>, test: Test) -> Result<(), TestError> {
    let server = source.as_ref().map_err(String::as_str)?.url()?;
    let name = unique_name("host_loss");
    execute(&server, &format!("CREATE DATABASE {name}")).await?;
    let database = TestDatabase {
        url: with_database(&server, &name),
    };
    let outcome = test(&database).await;
    execute(&server, &format!("DROP DATABASE {name}")).await?;
    outcome
}

/// The database of a test.
struct TestDatabase {
    url: String,
}

impl TestDatabase {
    /// Repeats a query until it returns a row.
    async fn wait_for_row(&self, query: &str) -> Result<(), TestError> {
        let started_at = Instant::now();
        while texts(&self.url, query).await?.is_empty() {
            if started_at.elapsed() > TIMEOUT {
                return Err(format!("no row within {TIMEOUT:?}: {query}").into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Waits until a session of the database runs a statement with this beginning.
    async fn wait_until_running(&self, beginning: &str) -> Result<(), TestError> {
        self.wait_for_row(&format!(
            "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND INFO LIKE '{beginning}%'"
        ))
        .await
    }

    /// Asserts that the lock is released in time, and that the next run completes the script of the holder.
    async fn assert_released_and_resumes(
        &self,
        started_at: Instant,
        script: &str,
    ) -> Result<(), TestError> {
        let locked = lock_when_free(connect(&self.url).await?, &LockKey::default()).await?;
        let elapsed = started_at.elapsed();
        locked.release().await?.close().await?;
        writeln!(std::io::stderr(), "released after {elapsed:?}")?;
        assert!(elapsed < MAX_RELEASE_DELAY, "{elapsed:?}");
        let next = runner(&self.url, &[("V1__a.sql", script)])?;
        assert_eq!(next.up().await?.outcome, Outcome::Applied);
        assert_eq!(texts(&self.url, "SELECT n FROM a").await?, ["1"]);
        Ok(())
    }
}

async fn idle_holder(database: &TestDatabase) -> Result<(), TestError> {
    let namespace = NetworkNamespace::new()?;
    let script = "CREATE TABLE a (n INT); INSERT INTO a VALUES (1)";
    let holder = HolderProcess::start_in(&namespace, &database.url, script)?;
    let started_at = Instant::now();
    namespace.drop_packets()?;
    database
        .assert_released_and_resumes(started_at, script)
        .await?;
    holder.kill()
}

async fn busy_holder(database: &TestDatabase) -> Result<(), TestError> {
    let namespace = NetworkNamespace::new()?;
    let script = "CREATE TABLE a (n INT); INSERT INTO a SELECT 1 + SLEEP(5)";
    let mut holder = HolderProcess::start_in(&namespace, &database.url, script)?;
    holder.run_script()?;
    database.wait_until_running("INSERT INTO a").await?;
    namespace.drop_packets()?;
    // The server continues the statement, and detects the loss of its client only at the end.
    database
        .wait_for_row("SELECT 1 FROM (SELECT COUNT(*) AS c FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND INFO LIKE 'INSERT INTO a%') p WHERE c = 0")
        .await?;
    database
        .assert_released_and_resumes(Instant::now(), script)
        .await?;
    holder.kill()
}

async fn lost_ack(database: &TestDatabase) -> Result<(), TestError> {
    let namespace = NetworkNamespace::new()?;
    // The result is larger than all buffers between server and client.
    let script =
        "CREATE TABLE a (n INT); SELECT SLEEP(2), REPEAT('x', 15000000); INSERT INTO a VALUES (1)";
    let mut holder = HolderProcess::start_in(&namespace, &database.url, script)?;
    holder.run_script()?;
    database.wait_until_running("SELECT SLEEP").await?;
    let started_at = Instant::now();
    namespace.drop_packets()?;
    database
        .assert_released_and_resumes(started_at, script)
        .await?;
    holder.kill()
}

/// The server vanishes during a statement, and before a statement is sent.
async fn vanished_server(database: &TestDatabase) -> Result<(), TestError> {
    for during_statement in [true, false] {
        let namespace = NetworkNamespace::new()?;
        let mut holder = HolderProcess::start_in(&namespace, &database.url, "DO SLEEP(600)")?;
        if during_statement {
            holder.run_script()?;
            database.wait_until_running("DO SLEEP").await?;
            namespace.drop_packets()?;
        } else {
            namespace.drop_packets()?;
            holder.run_script()?;
        }
        let started_at = Instant::now();
        let result = holder.read_line()?;
        let elapsed = started_at.elapsed();
        writeln!(std::io::stderr(), "ended after {elapsed:?}")?;
        assert!(result.starts_with("SessionLost"), "{result}");
        assert!(elapsed < MAX_RELEASE_DELAY, "{elapsed:?}");
        holder.kill()?;
        // The server would continue the statement.
        let session = "SELECT IS_USED_LOCK(CONCAT('lockage:4006:', DATABASE()))";
        for session in texts(&database.url, session).await? {
            // The session may have ended by itself.
            let _ = execute(&database.url, &format!("KILL {session}")).await;
        }
        let session = connect(&database.url).await?;
        let locked = lock_when_free(session, &LockKey::default()).await?;
        locked.release().await?;
    }
    Ok(())
}

async fn frozen_holder(database: &TestDatabase) -> Result<(), TestError> {
    let script = "CREATE TABLE a (n INT); INSERT INTO a VALUES (1)";
    let command = Command::new(std::env::current_exe()?);
    let mut holder = HolderProcess::start(command, &database.url, script)?;
    holder.signal(Signal::STOP)?;
    database
        .assert_released_and_resumes(Instant::now(), script)
        .await?;
    holder.signal(Signal::CONT)?;
    holder.run_script()?;
    let result = holder.read_line()?;
    assert!(
        result.starts_with("SessionLost") || result.starts_with("LockLost"),
        "{result}"
    );
    assert_eq!(texts(&database.url, "SELECT n FROM a").await?, ["1"]);
    holder.kill()
}
