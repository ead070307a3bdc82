//! Kills the migrating process, or the server, at random moments. After the next run, every statement must have taken effect exactly once.
//!
//! `LOCKAGE_TEST_CRASH_ROUNDS` is the number of rounds. Half of them kill the server. The server is started from local MariaDB binaries,
//! unless `LOCKAGE_TEST_MYSQL_URL` or `LOCKAGE_TEST_MARIADB_URL` names another one. That server is killed only if
//! `LOCKAGE_TEST_KILL_AND_START` is a command that kills it with SIGKILL and starts it again.

mod crash {
    pub(crate) mod server;
    pub(crate) mod tcp_relay;
}
mod direct_client;
mod runner;
mod sample_migrations;
mod trial;

use std::io::{BufRead, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crash::server::{Server, Source};
use crash::tcp_relay::TcpRelay;
use direct_client::{execute, texts, with_database};
use libtest_mimic::{Arguments, Trial};
use lockage_mysql::lockage_core::{BoxFuture, LockWait, Outcome, Report};
use lockage_testkit::{TestError, unique_name};
use runner::runner;
use sample_migrations::{FILES, effects};
use trial::{block_on, trial};

/// The hidden argument of the process that is killed.
const CHILD: &str = "--migrate";

/// The default number of rounds.
const ROUNDS: u32 = 10;

/// The maximum duration of each wait.
const TIMEOUT: Duration = Duration::from_secs(120);

const POLL_INTERVAL: Duration = Duration::from_millis(50);

type Test = fn(Server) -> BoxFuture<'static, Result<(), TestError>>;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(CHILD) {
        return run_as_child();
    }
    let trials = vec![
        server_trial(
            "killed_process_or_server_applies_each_statement_once",
            false,
            |server| Box::pin(all_rounds(server)),
        ),
        server_trial("run_resumes_after_server_was_killed", true, |server| {
            Box::pin(resumes(server))
        }),
    ];
    let mut arguments = Arguments::from_args();
    // The tests may share one server, and kill it.
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn server_trial(name: &str, kills_server: bool, test: Test) -> Trial {
    let source = Source::find();
    let skip_reason = match &source {
        Err(reason) => Some(reason.clone()),
        Ok(source) if kills_server && !source.can_be_killed() => {
            Some("LOCKAGE_TEST_KILL_AND_START is not set".into())
        }
        Ok(_) => None,
    };
    trial(name, skip_reason, move || async move {
        test(source?.start()?).await
    })
}

/// Runs the migrations as the process that is killed. It reads the URL from standard input.
fn run_as_child() -> ExitCode {
    let mut url = String::new();
    let done = std::io::stdin()
        .lock()
        .read_line(&mut url)
        .map_err(TestError::from)
        .and_then(|_| block_on(1, async { Ok(runner(url.trim(), FILES)?.up().await?) }));
    match done {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// A process that migrates.
struct MigrateChild(Child);

impl MigrateChild {
    fn start(url: &str) -> Result<Self, TestError> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(CHILD)
            .stdin(Stdio::piped())
            .spawn()?;
        writeln!(child.stdin.take().ok_or("no pipe")?, "{url}")?;
        Ok(Self(child))
    }

    fn kill(mut self) -> Result<(), TestError> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

/// What a round kills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Process,
    Server,
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test program reads its environment"
)]
async fn all_rounds(mut server: Server) -> Result<(), TestError> {
    let rounds = std::env::var("LOCKAGE_TEST_CRASH_ROUNDS")
        .ok()
        .map_or(Ok(ROUNDS), |rounds| rounds.parse())?;
    let name = unique_name("crash");
    let (expected, duration) = baseline_run(&server, &name).await?;
    let (mut processes, mut servers) = (0_u32, 0_u32);
    for round in 0..rounds {
        let target = if round % 2 == 1 && server.can_be_killed() {
            servers += 1;
            Target::Server
        } else {
            processes += 1;
            Target::Process
        };
        run_round(&mut server, &name, target, duration, &expected)
            .await
            .map_err(|failure| format!("round {round}, {target:?} killed: {failure}"))?;
    }
    execute(&server.url(), &format!("DROP DATABASE {name}")).await?;
    writeln!(
        std::io::stderr(),
        "{processes} rounds with a killed process, {servers} with a killed server, a run takes {duration:?}"
    )?;
    Ok(())
}

async fn run_round(
    server: &mut Server,
    name: &str,
    target: Target,
    duration: Duration,
    expected: &[String],
) -> Result<(), TestError> {
    reset(server, name).await?;
    // In some rounds the run that recovers is killed, too.
    for _ in 0..fastrand::u32(1..=2) {
        let delay = duration.mul_f64(fastrand::f64() * 1.1);
        let child = MigrateChild::start(&with_database(&server.url(), name))?;
        tokio::time::sleep(delay).await;
        if target == Target::Server {
            server.kill_and_start()?;
        }
        child.kill()?;
    }
    let url = with_database(&server.url(), name);
    let report = up_when_reachable(&url).await?;
    let found = effects(&url).await?;
    if found != expected {
        return Err(format!(
            "then {:?}: expected {expected:#?}, found {found:#?}",
            report.outcome
        )
        .into());
    }
    let outcome = runner(&url, FILES)?.up().await?.outcome;
    assert_eq!(outcome, Outcome::UpToDate);
    Ok(())
}

/// Runs a process without killing it. Returns the effects of the migrations, and the duration.
async fn baseline_run(server: &Server, name: &str) -> Result<(Vec<String>, Duration), TestError> {
    reset(server, name).await?;
    let url = with_database(&server.url(), name);
    let started_at = Instant::now();
    let mut child = MigrateChild::start(&url)?;
    if !child.0.wait()?.success() {
        // Reports why.
        runner(&url, FILES)?.up().await?;
        return Err("a process failed that was not killed".into());
    }
    Ok((effects(&url).await?, started_at.elapsed()))
}

async fn resumes(mut server: Server) -> Result<(), TestError> {
    let name = unique_name("restart");
    reset(&server, &name).await?;
    let direct_url = |server: &Server| with_database(&server.url(), &name);
    execute(&direct_url(&server), "CREATE TABLE slow AS SELECT 600 AS s").await?;
    let relay = TcpRelay::start().await?;
    let files = [
        (
            "V1__a.sql",
            "CREATE TABLE a (n INT); INSERT INTO a VALUES (1)",
        ),
        (
            "V2__b.sql",
            "INSERT INTO a VALUES (2); INSERT INTO a SELECT 3 + 0 * SLEEP(s) FROM slow; INSERT INTO a VALUES (4)",
        ),
    ];
    let runner =
        runner(&relay.connect_to(Some(&direct_url(&server))), &files)?.wait(LockWait::For(TIMEOUT));
    let running = tokio::spawn(async move { runner.up().await });
    let sleeping = format!(
        "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{name}' AND INFO LIKE 'INSERT INTO a SELECT%'"
    );
    let started_at = Instant::now();
    while texts(&server.url(), &sleeping).await?.is_empty() {
        if running.is_finished() || started_at.elapsed() > TIMEOUT {
            return Err("the run did not reach its slow statement".into());
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    relay.connect_to(None);
    server.kill_and_start()?;
    wait_until_up(&direct_url(&server), "UPDATE slow SET s = 0").await?;
    relay.connect_to(Some(&direct_url(&server)));
    let report = running.await??;
    let applied: Vec<_> = report
        .applied
        .iter()
        .filter_map(|migration| migration.version.as_deref())
        .collect();
    assert_eq!(
        (report.outcome, &applied[..]),
        (Outcome::Applied, &["1", "2"][..])
    );
    let found = texts(&direct_url(&server), "SELECT n FROM a ORDER BY n").await?;
    assert_eq!(found, ["1", "2", "3", "4"]);
    execute(&server.url(), &format!("DROP DATABASE {name}")).await
}

/// Drops and creates a database.
async fn reset(server: &Server, name: &str) -> Result<(), TestError> {
    let url = server.url();
    execute(&url, &format!("DROP DATABASE IF EXISTS {name}")).await?;
    execute(&url, &format!("CREATE DATABASE {name}")).await
}

/// Runs a statement as soon as a server that is starting accepts it.
async fn wait_until_up(url: &str, statement: &str) -> Result<(), TestError> {
    let started_at = Instant::now();
    while let Err(failure) = execute(url, statement).await {
        if started_at.elapsed() > TIMEOUT {
            return Err(failure);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(())
}

/// Runs the migrations. A server that is starting rejects connections for a while.
async fn up_when_reachable(url: &str) -> Result<Report, TestError> {
    let started_at = Instant::now();
    loop {
        match runner(url, FILES)?.up().await {
            Err(error) if error.is_temporary() && started_at.elapsed() < TIMEOUT => {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
            done => return done.map_err(|error| format!("{error:?}").into()),
        }
    }
}
