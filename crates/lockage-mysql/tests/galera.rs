//! A cluster of several nodes, at the URLs in `LOCKAGE_TEST_GALERA_URLS`, separated by commas. `LOCKAGE_TEST_GALERA_ROUNDS` says how often
//! the processes race.

mod voyage;
mod witness;

use std::fs;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use lockage_mysql::BACKEND;
use lockage_mysql::lockage_core::{
    TryLock, ConnectOptions, ErrorKind, Event, LockKey, LockStrategy, MigrationSet, Observer,
    Outcome, Registry, Runner, Unlocked,
};
use lockage_testkit::{TestError, unique_name};
use voyage::{FILES, traces};
use witness::{execute, with_database};

/// The hidden argument of a replica.
const CHILD: &str = "--replica";

/// How many replicas race.
const REPLICAS: usize = 16;

/// How often they do when nobody says otherwise.
const ROUNDS: u32 = 3;

/// How long a node may be behind the others.
const DEADLINE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(CHILD) {
        return replica();
    }
    let nodes: Vec<String> = variable("LOCKAGE_TEST_GALERA_URLS")
        .unwrap_or_default()
        .split(',')
        .filter(|url| !url.is_empty())
        .map(str::to_owned)
        .collect();
    let tests: [(&str, Test); 5] = [
        ("the_lock_is_found_to_be_a_row_in_a_table", |cluster| {
            Box::pin(found(cluster))
        }),
        ("the_lock_excludes_on_every_node", |cluster| {
            Box::pin(excludes(cluster))
        }),
        (
            "processes_on_all_nodes_apply_each_migration_once",
            |cluster| Box::pin(race(cluster)),
        ),
        ("a_node_that_is_not_ready_says_so", |cluster| {
            Box::pin(not_ready(cluster))
        }),
        ("a_run_goes_on_at_another_node", |cluster| {
            Box::pin(goes_on(cluster))
        }),
    ];
    let trials = tests.into_iter().map(|(name, test)| {
        let nodes = nodes.clone();
        let missing = nodes.is_empty();
        let trial = Trial::test(name, move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?;
            runtime
                .block_on(in_a_database(nodes, test))
                .map_err(|failure| Failed::from(format!("{failure:?}")))
        });
        if missing {
            trial
                .with_ignored_flag(true)
                .with_kind("left out: no LOCKAGE_TEST_GALERA_URLS")
        } else {
            trial
        }
    });
    let mut arguments = Arguments::from_args();
    // One of them has a node refuse all others.
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test program reads its environment"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// One database, as each node has it.
#[derive(Clone)]
struct Cluster {
    urls: Vec<String>,
}

impl Cluster {
    /// Makes a database, by a name that no node knows from before, and waits until each node lets sessions into it.
    async fn make(nodes: &[String]) -> Result<Self, TestError> {
        let name = unique_name("galera");
        let first = nodes.first().ok_or("no node")?;
        execute(first, &format!("CREATE DATABASE {name}")).await?;
        let urls = nodes
            .iter()
            .map(|node| with_database(node, &name))
            .collect();
        let cluster = Self { urls };
        let begun = Instant::now();
        for url in &cluster.urls {
            while let Err(failure) = execute(url, "DO 1").await {
                if begun.elapsed() > DEADLINE {
                    return Err(format!("{url} has no such database: {failure}").into());
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        Ok(cluster)
    }

    async fn remove(self) -> Result<(), TestError> {
        let (_, name) = self.urls[0].rsplit_once('/').unwrap_or_default();
        execute(&self.urls[0], &format!("DROP DATABASE {name}")).await
    }
}

type Test =
    for<'a> fn(&'a Cluster) -> lockage_mysql::lockage_core::BoxFuture<'a, Result<(), TestError>>;

async fn in_a_database(nodes: Vec<String>, test: Test) -> Result<(), TestError> {
    let cluster = Cluster::make(&nodes).await?;
    let outcome = test(&cluster).await;
    cluster.remove().await?;
    outcome
}

async fn connect(url: &str, strategy: LockStrategy) -> Result<Unlocked, TestError> {
    let mut options = ConnectOptions::new(url)?;
    options.lock_strategy = strategy;
    Ok(Registry::default().with(BACKEND)?.connect(&options).await?)
}

fn runner(url: &str) -> lockage_mysql::lockage_core::Result<Runner> {
    let set = MigrationSet::from_texts(FILES.iter().copied())?;
    Ok(Runner::new(
        Registry::default().with(BACKEND)?,
        ConnectOptions::new(url)?,
        set,
    ))
}

async fn found(cluster: &Cluster) -> Result<(), TestError> {
    let auto = connect(&cluster.urls[0], LockStrategy::Auto).await?;
    assert!(
        auto.capabilities().lock.contains("lockage_lock"),
        "{:?}",
        auto.capabilities()
    );
    let local = connect(&cluster.urls[0], LockStrategy::Advisory).await?;
    let error = local
        .try_lock(&LockKey::default())
        .await
        .map(drop)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(
        error.hint().is_some_and(|hint| hint.contains("table")),
        "{error:?}"
    );
    Ok(())
}

/// Without quorum a node refuses as it does here when told to.
async fn not_ready(cluster: &Cluster) -> Result<(), TestError> {
    let node = cluster.urls.last().ok_or("no node")?;
    execute(node, "SET GLOBAL wsrep_reject_queries = ALL").await?;
    let refused = runner(node)?.up().await;
    execute(node, "SET GLOBAL wsrep_reject_queries = NONE").await?;
    let error = refused.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
    assert!(
        error.is_temporary() && error.hint().is_some_and(|hint| hint.contains("quorum")),
        "{error:?}"
    );
    assert_eq!(runner(node)?.up().await?.outcome, Outcome::Applied);
    Ok(())
}

async fn excludes(cluster: &Cluster) -> Result<(), TestError> {
    let key = LockKey::default();
    for holder in &cluster.urls {
        let TryLock::Acquired(mut held) = connect(holder, LockStrategy::Auto)
            .await?
            .try_lock(&key)
            .await?
        else {
            return Err("the lock is held by nobody, and a session did not get it".into());
        };
        for other in &cluster.urls {
            let other = connect(other, LockStrategy::Auto).await?;
            let TryLock::Busy(mut other) = other.try_lock(&key).await? else {
                return Err("two sessions hold the lock".into());
            };
            let told = other
                .holder(&key)
                .await?
                .ok_or("nobody holds a lock that is held")?;
            assert!(told.session.is_some() && told.host.is_some(), "{told:?}");
        }
        assert!(held.holds().await?);
        held.release().await?;
    }
    Ok(())
}

/// A folder for the file that only the holder may make.
struct Yard(PathBuf);

impl Yard {
    fn new() -> Result<Self, TestError> {
        let folder = std::env::temp_dir().join(unique_name("lockage-galera"));
        fs::create_dir(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Yard {
    fn drop(&mut self) {
        // Whatever is left of it harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn race(cluster: &Cluster) -> Result<(), TestError> {
    let rounds =
        variable("LOCKAGE_TEST_GALERA_ROUNDS").map_or(Ok(ROUNDS), |rounds| rounds.parse())?;
    let mut expected = None;
    for round in 0..rounds {
        let cluster = Cluster::make(&cluster.urls).await?;
        let yard = Yard::new()?;
        let mut replicas = Vec::new();
        for index in 0..REPLICAS {
            replicas.push(Replica::start(
                &cluster.urls[index % cluster.urls.len()],
                &yard.0,
            )?);
        }
        // All of them stand in line before the first goes.
        for replica in &mut replicas {
            replica.go()?;
        }
        for replica in &mut replicas {
            let said = replica.end()?;
            if said != "ok" {
                return Err(format!("round {round}: a replica failed: {said}").into());
            }
        }
        if yard.0.join("two").exists() {
            return Err(format!("round {round}: two replicas were under the lock at once").into());
        }
        assert_eq!(
            runner(&cluster.urls[0])?.up().await?.outcome,
            Outcome::UpToDate
        );
        let found = traces(&cluster.urls[0]).await?;
        let expected = expected.get_or_insert_with(|| found.clone());
        if found != *expected {
            return Err(format!("round {round}: expected {expected:#?}, found {found:#?}").into());
        }
        cluster.remove().await?;
    }
    Ok(())
}

async fn goes_on(cluster: &Cluster) -> Result<(), TestError> {
    let yard = Yard::new()?;
    let mut dead = 0;
    for url in cluster.urls.iter().cycle().take(9) {
        let mut replica = Replica::start(url, &yard.0)?;
        replica.go()?;
        tokio::time::sleep(Duration::from_millis(fastrand::u64(20..600))).await;
        dead += u32::from(replica.process.try_wait()?.is_none());
        replica.process.kill()?;
        replica.process.wait()?;
    }
    runner(&cluster.urls[0])?.up().await?;
    let found = traces(&cluster.urls[0]).await?;
    let log = found
        .iter()
        .filter(|line| line.as_str() == "bumped")
        .count();
    assert_eq!(log, 1, "{found:#?}");
    assert!(dead > 0, "nobody was killed");
    Ok(())
}

struct Replica {
    process: Child,
}

impl Replica {
    fn start(url: &str, yard: &Path) -> Result<Self, TestError> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg(CHILD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        writeln!(
            process.stdin.as_mut().ok_or("no pipe")?,
            "{url}\n{}",
            yard.display()
        )?;
        Ok(Self { process })
    }

    fn go(&mut self) -> Result<(), TestError> {
        Ok(writeln!(
            self.process.stdin.as_mut().ok_or("no pipe")?,
            "go"
        )?)
    }

    fn end(&mut self) -> Result<String, TestError> {
        let mut said = String::new();
        std::io::BufReader::new(self.process.stdout.take().ok_or("no pipe")?)
            .read_line(&mut said)?;
        self.process.wait()?;
        Ok(said.trim().to_owned())
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        // It has ended, unless the test failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn replica() -> ExitCode {
    let mut lines = std::io::stdin().lock().lines().map_while(Result::ok);
    let (Some(url), Some(yard), Some(_)) = (lines.next(), lines.next(), lines.next()) else {
        return ExitCode::FAILURE;
    };
    let done = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(TestError::from)
        .and_then(|runtime| {
            let observer = Alone {
                yard: yard.into(),
                working: AtomicBool::new(false),
            };
            Ok(runtime.block_on(runner(&url)?.observer(observer).up())?)
        });
    let said = done.map_or_else(
        |failure| format!("{failure:?}").replace('\n', " "),
        |_| "ok".into(),
    );
    // A parent that no longer listens has ended the test.
    let _ = writeln!(std::io::stdout(), "{said}");
    ExitCode::SUCCESS
}

/// Leaves a note when it finds another one under the lock.
struct Alone {
    yard: PathBuf,
    working: AtomicBool,
}

impl Observer for Alone {
    fn on_event(&self, event: &Event<'_>) {
        match event {
            Event::Locked { steps, .. } if *steps > 0 => {
                self.working.store(true, Ordering::SeqCst);
                if fs::File::create_new(self.yard.join("holder")).is_err() {
                    let _ = fs::write(self.yard.join("two"), "");
                }
            }
            Event::Releasing { .. } if self.working.swap(false, Ordering::SeqCst) => {
                let _ = fs::remove_file(self.yard.join("holder"));
            }
            _ => {}
        }
    }
}
