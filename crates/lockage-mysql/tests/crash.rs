//! The migrating process, or the server, is killed at a random moment, again and again; after the next run every statement has taken effect
//! exactly once.
//!
//! `LOCKAGE_TEST_CRASH_ROUNDS` is the number of rounds, half of them for the server. The server is MariaDB from this machine's binaries, or what
//! answers at `LOCKAGE_TEST_MYSQL_URL` or `LOCKAGE_TEST_MARIADB_URL`; that one is killed too where
//! `LOCKAGE_TEST_KILL_AND_START` is a command that does so with SIGKILL and starts it again.

mod crash {
    pub(crate) mod relay;
    pub(crate) mod server;
}
mod voyage;
mod witness;

use std::io::{BufRead, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crash::relay::Relay;
use crash::server::{Server, Source};
use libtest_mimic::{Arguments, Failed, Trial};
use lockage_mysql::BACKEND;
use lockage_mysql::lockage_core::{
    BoxFuture, ConnectOptions, LockWait, MigrationSet, Outcome, Registry, Report, Runner,
};
use lockage_testkit::{TestError, unique_name};
use voyage::{FILES, traces};
use witness::{execute, texts, with_database};

/// The hidden argument of the process that is killed.
const CHILD: &str = "--migrate";

/// How many rounds there are when nobody says otherwise.
const ROUNDS: u32 = 10;

/// Nothing here takes longer.
const DEADLINE: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(CHILD) {
        return migrate_as_told();
    }
    let trials = vec![
        trial(
            "every_statement_takes_effect_once_whoever_is_killed",
            |server| Box::pin(all_rounds(server)),
        ),
        trial("a_run_whose_server_was_killed_goes_on", |server| {
            Box::pin(goes_on(server))
        }),
    ];
    let mut arguments = Arguments::from_args();
    // They may have one server, and kill it.
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: &str, test: fn(Server) -> BoxFuture<'static, Result<(), TestError>>) -> Trial {
    let source = Source::find();
    let kills = name.contains("server_was_killed");
    let lacks = match &source {
        Err(reason) => Some(reason.clone()),
        Ok(source) if kills && !source.can_be_killed() => {
            Some("nobody said how to kill the server".into())
        }
        Ok(_) => None,
    };
    let trial = Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        runtime
            .block_on(async { test(source?.start()?).await })
            .map_err(|failure| Failed::from(format!("{failure:?}")))
    });
    match lacks {
        Some(reason) => trial
            .with_ignored_flag(true)
            .with_kind(format!("left out: {reason}")),
        None => trial,
    }
}

fn runner(url: &str) -> lockage_mysql::lockage_core::Result<Runner> {
    let set = MigrationSet::from_texts(FILES.iter().copied())?;
    Ok(Runner::new(
        Registry::default().with(BACKEND)?,
        ConnectOptions::new(url)?,
        set,
    ))
}

/// The process that is killed: runs the migrations of the URL on its standard input.
fn migrate_as_told() -> ExitCode {
    let mut url = String::new();
    let done = std::io::stdin()
        .lock()
        .read_line(&mut url)
        .map_err(TestError::from)
        .and_then(|_| {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()?;
            Ok(runtime.block_on(runner(url.trim())?.up())?)
        });
    match done {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

struct Migrating(Child);

impl Migrating {
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

/// Whom a round kills.
#[derive(Debug, Clone, Copy)]
enum Victim {
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
    let (expected, took) = undisturbed(&server, &name).await?;
    let mut crashed = [0_u32; 2];
    for round in 0..rounds {
        let victim = if round % 2 == 1 && server.can_be_killed() {
            Victim::Server
        } else {
            Victim::Process
        };
        afresh(&server, &name).await?;
        let url = |server: &Server| with_database(&server.url(), &name);
        // Now and then the one that mends is killed too.
        for _ in 0..fastrand::u32(1..=2) {
            let moment = took.mul_f64(fastrand::f64() * 1.1);
            let migrating = Migrating::start(&url(&server))?;
            tokio::time::sleep(moment).await;
            if matches!(victim, Victim::Server) {
                server.kill_and_start()?;
            }
            migrating.kill()?;
        }
        crashed[usize::from(matches!(victim, Victim::Server))] += 1;
        let report = up_at_last(&url(&server))
            .await
            .map_err(|failure| format!("round {round}, {victim:?} killed: {failure}"))?;
        let found = traces(&url(&server)).await?;
        if found != expected {
            return Err(format!(
                "round {round}, {victim:?} killed, then {:?}: expected {expected:#?}, found {found:#?}",
                report.outcome
            )
            .into());
        }
        assert_eq!(
            runner(&url(&server))?.up().await?.outcome,
            Outcome::UpToDate
        );
    }
    execute(&server.url(), &format!("DROP DATABASE {name}")).await?;
    let [processes, servers] = crashed;
    writeln!(
        std::io::stderr(),
        "{processes} rounds with a killed process, {servers} with a killed server, a run takes {took:?}"
    )?;
    Ok(())
}

/// What a run leaves that nobody kills, and how long it takes in a process of its own.
async fn undisturbed(server: &Server, name: &str) -> Result<(Vec<String>, Duration), TestError> {
    afresh(server, name).await?;
    let url = with_database(&server.url(), name);
    let begun = Instant::now();
    let mut migrating = Migrating::start(&url)?;
    if !migrating.0.wait()?.success() {
        runner(&url)?.up().await?;
        return Err("a process failed that nobody killed".into());
    }
    Ok((traces(&url).await?, begun.elapsed()))
}

async fn goes_on(mut server: Server) -> Result<(), TestError> {
    let name = unique_name("away");
    afresh(&server, &name).await?;
    let direct = |server: &Server| with_database(&server.url(), &name);
    execute(&direct(&server), "CREATE TABLE slow AS SELECT 600 AS s").await?;
    let relay = Relay::start().await?;
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
    let runner = Runner::new(
        Registry::default().with(BACKEND)?,
        ConnectOptions::new(relay.lead_to(Some(&direct(&server))))?,
        MigrationSet::from_texts(files)?,
    )
    .wait(LockWait::For(DEADLINE));
    let running = tokio::spawn(async move { runner.up().await });
    let asleep = format!(
        "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{name}' AND INFO LIKE 'INSERT INTO a SELECT%'"
    );
    let begun = Instant::now();
    while texts(&server.url(), &asleep).await?.is_empty() {
        if running.is_finished() || begun.elapsed() > DEADLINE {
            return Err("the run did not come to its slow statement".into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    relay.lead_to(None);
    server.kill_and_start()?;
    let begun = Instant::now();
    while let Err(failure) = execute(&direct(&server), "UPDATE slow SET s = 0").await {
        if begun.elapsed() > DEADLINE {
            return Err(failure);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    relay.lead_to(Some(&direct(&server)));
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
    let found = texts(&direct(&server), "SELECT n FROM a ORDER BY n").await?;
    assert_eq!(found, ["1", "2", "3", "4"]);
    execute(&server.url(), &format!("DROP DATABASE {name}")).await
}

async fn afresh(server: &Server, name: &str) -> Result<(), TestError> {
    let url = server.url();
    execute(&url, &format!("DROP DATABASE IF EXISTS {name}")).await?;
    execute(&url, &format!("CREATE DATABASE {name}")).await
}

/// Runs until it is done; a server that comes up again refuses for a while.
async fn up_at_last(url: &str) -> Result<Report, TestError> {
    let begun = Instant::now();
    loop {
        match runner(url)?.up().await {
            Err(error) if error.is_temporary() && begun.elapsed() < DEADLINE => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            done => return done.map_err(|error| format!("{error:?}").into()),
        }
    }
}
