//! Holders that are gone without a word: their host is cut off the network, or they are frozen. Measured with processes in network
//! namespaces, whose packets are lost both ways.

mod origin;
mod witness;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use lockage_mysql::BACKEND;
use lockage_mysql::lockage_core::{
    TryLock, BoxFuture, ConnectOptions, LockKey, Locked, MigrationSet, NoObserver, Outcome,
    PlanOptions, Registry, Runner, Unlocked, plan,
};
use lockage_testkit::engine::{Island, MariadbOrigin};
use lockage_testkit::{Failure, unique_name};
use rustix::process::{Pid, Signal, kill_process};
use witness::{execute, texts, with_database};

/// The hidden argument of the process that holds the lock.
const CHILD: &str = "--hold";

/// How long a vanished holder may keep the lock that is idle, or whose result nobody takes.
const BOUND: Duration = Duration::from_secs(30);

/// Nothing here takes longer.
const DEADLINE: Duration = Duration::from_secs(180);

type Test = for<'a> fn(&'a Place) -> BoxFuture<'a, Result<(), Failure>>;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(CHILD) {
        return hold();
    }
    let origin = Arc::new(origin::origin());
    let no_island = Island::missing();
    let tests: [(&str, bool, Test); 5] = [
        ("an_idle_holder_whose_host_vanishes", true, |place| {
            Box::pin(idle(place))
        }),
        (
            "a_holder_whose_host_vanishes_in_a_statement",
            true,
            |place| Box::pin(busy(place)),
        ),
        ("a_holder_that_never_takes_its_result", true, |place| {
            Box::pin(unacknowledged(place))
        }),
        ("a_run_whose_server_vanishes_ends", true, |place| {
            Box::pin(deserted(place))
        }),
        ("a_frozen_holder_writes_nothing_more", false, |place| {
            Box::pin(frozen(place))
        }),
    ];
    let trials = tests.into_iter().map(|(name, on_island, test)| {
        let lacks = match (&*origin, &no_island) {
            (Err(reason), _) => Some(reason.clone()),
            (_, Some(reason)) if on_island => Some(reason.clone()),
            _ => None,
        };
        let origin = Arc::clone(&origin);
        let trial = Trial::test(name, move || {
            run(&origin, test).map_err(|failure| Failed::from(format!("{failure:?}")))
        });
        match lacks {
            Some(reason) => trial
                .with_ignored_flag(true)
                .with_kind(format!("left out: {reason}")),
            None => trial,
        }
    });
    let mut arguments = Arguments::from_args();
    // They wait, mostly.
    arguments.test_threads = arguments.test_threads.or(Some(4));
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn run(origin: &Result<MariadbOrigin, String>, test: Test) -> Result<(), Failure> {
    let server = origin.as_ref().map_err(String::as_str)?.url()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let name = unique_name("vanished");
        execute(&server, &format!("CREATE DATABASE {name}")).await?;
        let place = Place {
            url: with_database(&server, &name),
        };
        let outcome = test(&place).await;
        execute(&server, &format!("DROP DATABASE {name}")).await?;
        outcome
    })
}

/// A database.
struct Place {
    url: String,
}

impl Place {
    /// Waits until a query has a row.
    async fn until(&self, query: &str) -> Result<(), Failure> {
        let begun = Instant::now();
        while texts(&self.url, query).await?.is_empty() {
            if begun.elapsed() > DEADLINE {
                return Err(format!("waited in vain for a row of {query}").into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Waits until the database's sessions run a statement that begins so.
    async fn until_it_runs(&self, beginning: &str) -> Result<(), Failure> {
        self.until(&format!(
            "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND INFO LIKE '{beginning}%'"
        ))
        .await
    }

    /// Tries until the lock is free.
    async fn lock_at_last(&self) -> Result<Locked, Failure> {
        let begun = Instant::now();
        let mut session = connect(&self.url).await?;
        loop {
            session = match session.try_lock(&LockKey::default()).await? {
                TryLock::Acquired(locked) => return Ok(locked),
                TryLock::Busy(session) => session,
            };
            if begun.elapsed() > DEADLINE {
                return Err("the lock did not become free".into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The lock is free within the bound, and what the holder had begun is finished by the next run, once.
    async fn goes_on(&self, begun: Instant, script: &str) -> Result<(), Failure> {
        let locked = self.lock_at_last().await?;
        let took = begun.elapsed();
        locked.release().await?.close().await?;
        writeln!(std::io::stderr(), "free after {took:?}")?;
        assert!(took < BOUND, "{took:?}");
        assert_eq!(
            runner(&self.url, script)?.up().await?.outcome,
            Outcome::Applied
        );
        assert_eq!(texts(&self.url, "SELECT n FROM a").await?, ["1"]);
        Ok(())
    }
}

async fn connect(url: &str) -> lockage_mysql::lockage_core::Result<Unlocked> {
    Registry::default()
        .with(BACKEND)?
        .connect(&ConnectOptions::new(url)?)
        .await
}

fn runner(url: &str, script: &str) -> Result<Runner, Failure> {
    let set = MigrationSet::from_texts([("V1__a.sql", script)])?;
    let registry = Registry::default().with(BACKEND)?;
    Ok(Runner::new(registry, ConnectOptions::new(url)?, set))
}

async fn idle(place: &Place) -> Result<(), Failure> {
    let island = Island::new()?;
    let script = "CREATE TABLE a (n INT); INSERT INTO a VALUES (1)";
    let holder = Holder::on(&island, &place.url, script)?;
    let begun = Instant::now();
    island.cut_off()?;
    place.goes_on(begun, script).await?;
    holder.end()
}

async fn busy(place: &Place) -> Result<(), Failure> {
    let island = Island::new()?;
    let script = "CREATE TABLE a (n INT); INSERT INTO a SELECT 1 + SLEEP(5)";
    let mut holder = Holder::on(&island, &place.url, script)?;
    holder.go()?;
    place.until_it_runs("INSERT INTO a").await?;
    island.cut_off()?;
    // The server goes on with the statement, and looks for its client only at its end.
    place
        .until("SELECT 1 FROM (SELECT COUNT(*) AS c FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND INFO LIKE 'INSERT INTO a%') p WHERE c = 0")
        .await?;
    place.goes_on(Instant::now(), script).await?;
    holder.end()
}

async fn unacknowledged(place: &Place) -> Result<(), Failure> {
    let island = Island::new()?;
    // A result that fits into no buffer on the way.
    let script =
        "CREATE TABLE a (n INT); SELECT SLEEP(2), REPEAT('x', 15000000); INSERT INTO a VALUES (1)";
    let mut holder = Holder::on(&island, &place.url, script)?;
    holder.go()?;
    place.until_it_runs("SELECT SLEEP").await?;
    let begun = Instant::now();
    island.cut_off()?;
    place.goes_on(begun, script).await?;
    holder.end()
}

/// In the middle of a statement, and when it has just begun to ask for something.
async fn deserted(place: &Place) -> Result<(), Failure> {
    for in_a_statement in [true, false] {
        let island = Island::new()?;
        let mut holder = Holder::on(&island, &place.url, "DO SLEEP(600)")?;
        if in_a_statement {
            holder.go()?;
            place.until_it_runs("DO SLEEP").await?;
            island.cut_off()?;
        } else {
            island.cut_off()?;
            holder.go()?;
        }
        let begun = Instant::now();
        let said = holder.hears()?;
        let took = begun.elapsed();
        writeln!(std::io::stderr(), "ended after {took:?}")?;
        assert!(said.starts_with("SessionLost"), "{said}");
        assert!(took < BOUND, "{took:?}");
        holder.end()?;
        // The server goes on with what it was told.
        let session = "SELECT IS_USED_LOCK(CONCAT('lockage:4006:', DATABASE()))";
        for session in texts(&place.url, session).await? {
            // It may have ended by now.
            let _ = execute(&place.url, &format!("KILL {session}")).await;
        }
        place.lock_at_last().await?.release().await?;
    }
    Ok(())
}

async fn frozen(place: &Place) -> Result<(), Failure> {
    let script = "CREATE TABLE a (n INT); INSERT INTO a VALUES (1)";
    let command = Command::new(std::env::current_exe()?);
    let mut holder = Holder::start(command, &place.url, script)?;
    holder.signal(Signal::STOP)?;
    place.goes_on(Instant::now(), script).await?;
    holder.signal(Signal::CONT)?;
    holder.go()?;
    let said = holder.hears()?;
    assert!(
        said.starts_with("SessionLost") || said.starts_with("LockLost"),
        "{said}"
    );
    assert_eq!(texts(&place.url, "SELECT n FROM a").await?, ["1"]);
    holder.end()
}

/// A process that holds the lock.
struct Holder {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Holder {
    /// Starts it on an island.
    fn on(island: &Island, url: &str, script: &str) -> Result<Self, Failure> {
        let [first, rest @ ..] = island.there();
        let mut command = Command::new(first);
        command.args(rest).arg(std::env::current_exe()?);
        // The server's certificate does not name that address.
        let url = format!("{}?ssl-mode=disabled", island.url(url));
        Self::start(command, &url, script)
    }

    /// Starts it, and waits until it holds the lock.
    fn start(mut command: Command, url: &str, script: &str) -> Result<Self, Failure> {
        let mut process = command
            .arg(CHILD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut to = process.stdin.take().ok_or("no pipe")?;
        let from = BufReader::new(process.stdout.take().ok_or("no pipe")?);
        writeln!(to, "{url}\n{script}")?;
        let mut holder = Self { process, to, from };
        let said = holder.hears()?;
        if said == "locked" {
            Ok(holder)
        } else {
            Err(format!("the holder did not get the lock: {said}").into())
        }
    }

    /// Has it run the script.
    fn go(&mut self) -> Result<(), Failure> {
        Ok(writeln!(self.to, "go")?)
    }

    fn hears(&mut self) -> Result<String, Failure> {
        let mut said = String::new();
        self.from.read_line(&mut said)?;
        Ok(said.trim().to_owned())
    }

    fn signal(&self, signal: Signal) -> Result<(), Failure> {
        let pid = Pid::from_raw(i32::try_from(self.process.id())?).ok_or("no process")?;
        Ok(kill_process(pid, signal)?)
    }

    fn end(mut self) -> Result<(), Failure> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It has ended, unless the test failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Takes the lock, and runs the script when told to.
fn hold() -> ExitCode {
    let (Some(url), Some(script)) = (told(), told()) else {
        return ExitCode::FAILURE;
    };
    let held = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(Failure::from)
        .and_then(|runtime| {
            runtime.block_on(async {
                let TryLock::Acquired(mut locked) =
                    connect(&url).await?.try_lock(&LockKey::default()).await?
                else {
                    return Err("the lock is held".into());
                };
                writeln!(std::io::stdout(), "locked")?;
                // Signs of life go on meanwhile.
                tokio::task::spawn_blocking(told).await?;
                let done = work(&mut locked, &script).await;
                Ok(done.map_or_else(
                    |error| format!("{:?}: {error}", error.kind()),
                    |()| "done".into(),
                ))
            })
        });
    let said = held.unwrap_or_else(|failure| format!("{failure:?}"));
    // A parent that no longer listens has ended the test.
    let _ = writeln!(std::io::stdout(), "{}", said.replace('\n', " "));
    ExitCode::SUCCESS
}

/// The next line that the parent writes.
fn told() -> Option<String> {
    std::io::stdin().lines().next()?.ok()
}

async fn work(locked: &mut Locked, script: &str) -> lockage_mysql::lockage_core::Result<()> {
    let set = MigrationSet::from_texts([("V1__a.sql", script)])?;
    locked.ensure_history().await?;
    let plan = plan::plan(&set, &locked.history().await?, &PlanOptions::default())?;
    for step in &plan.steps {
        locked.apply(step, &NoObserver).await?;
    }
    Ok(())
}
