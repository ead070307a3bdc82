//! Tests on a cluster of several nodes, at the URLs in `LOCKAGE_TEST_GALERA_URLS`, separated by commas. `LOCKAGE_TEST_GALERA_ROUNDS` is the
//! number of rounds in which processes race.

mod direct_client;
mod galera {
    pub(crate) mod replica;
}
mod runner;
mod sample_migrations;
mod trial;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use direct_client::{execute, with_database};
use galera::replica::{CHILD, Replica, ScratchDir, run_as_child};
use libtest_mimic::Arguments;
use lockage_mysql::BACKEND;
use lockage_mysql::lockage_core::{
    BoxFuture, ConnectOptions, ErrorKind, LockKey, LockStrategy, Outcome, Registry, TryLock,
    Unlocked,
};
use lockage_testkit::{TestError, unique_name};
use runner::runner;
use sample_migrations::{FILES, effects};
use trial::trial;

/// The number of replicas that race.
const REPLICAS: usize = 16;

/// The default number of rounds.
const ROUNDS: u32 = 3;

/// How long a new database may take to reach every node.
const TIMEOUT: Duration = Duration::from_secs(60);

type Test = for<'a> fn(&'a Cluster) -> BoxFuture<'a, Result<(), TestError>>;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(CHILD) {
        return run_as_child();
    }
    let nodes: Vec<String> = variable("LOCKAGE_TEST_GALERA_URLS")
        .unwrap_or_default()
        .split(',')
        .filter(|url| !url.is_empty())
        .map(str::to_owned)
        .collect();
    let tests: [(&str, Test); 5] = [
        ("default_lock_is_table_lock", |cluster| {
            Box::pin(default_lock(cluster))
        }),
        ("lock_excludes_on_every_node", |cluster| {
            Box::pin(locks_exclude(cluster))
        }),
        (
            "processes_on_all_nodes_apply_each_migration_once",
            |cluster| Box::pin(race(cluster)),
        ),
        ("unready_node_is_reported", |cluster| {
            Box::pin(unready_node(cluster))
        }),
        ("run_resumes_on_another_node", |cluster| {
            Box::pin(resumes(cluster))
        }),
    ];
    let trials = tests.into_iter().map(|(name, test)| {
        let nodes = nodes.clone();
        let skip_reason = nodes
            .is_empty()
            .then(|| "LOCKAGE_TEST_GALERA_URLS is not set".to_owned());
        trial(name, skip_reason, move || async move {
            let cluster = Cluster::create(&nodes).await?;
            let outcome = test(&cluster).await;
            cluster.remove().await?;
            outcome
        })
    });
    let mut arguments = Arguments::from_args();
    // One of the tests makes a node reject all queries.
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

/// One database on all nodes.
#[derive(Clone)]
struct Cluster {
    /// The URL of the database on each node.
    urls: Vec<String>,
}

impl Cluster {
    /// Creates a database with a new name, and waits until it exists on every node.
    async fn create(nodes: &[String]) -> Result<Self, TestError> {
        let name = unique_name("galera");
        let first = nodes.first().ok_or("no node")?;
        execute(first, &format!("CREATE DATABASE {name}")).await?;
        let urls = nodes
            .iter()
            .map(|node| with_database(node, &name))
            .collect();
        let cluster = Self { urls };
        let started_at = Instant::now();
        for url in &cluster.urls {
            while let Err(failure) = execute(url, "DO 1").await {
                if started_at.elapsed() > TIMEOUT {
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

async fn connect(url: &str, strategy: LockStrategy) -> Result<Unlocked, TestError> {
    let mut options = ConnectOptions::new(url)?;
    options.lock_strategy = strategy;
    Ok(Registry::default().with(BACKEND)?.connect(&options).await?)
}

async fn default_lock(cluster: &Cluster) -> Result<(), TestError> {
    let auto = connect(&cluster.urls[0], LockStrategy::Auto).await?;
    assert!(
        auto.capabilities().lock.contains("lockage_lock"),
        "{:?}",
        auto.capabilities()
    );
    let native = connect(&cluster.urls[0], LockStrategy::Advisory).await?;
    let error = native
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

/// A node without quorum rejects queries in the same way as this setting.
async fn unready_node(cluster: &Cluster) -> Result<(), TestError> {
    let node = cluster.urls.last().ok_or("no node")?;
    execute(node, "SET GLOBAL wsrep_reject_queries = ALL").await?;
    let rejected = runner(node, FILES)?.up().await;
    execute(node, "SET GLOBAL wsrep_reject_queries = NONE").await?;
    let error = rejected.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
    assert!(
        error.is_temporary() && error.hint().is_some_and(|hint| hint.contains("quorum")),
        "{error:?}"
    );
    let outcome = runner(node, FILES)?.up().await?.outcome;
    assert_eq!(outcome, Outcome::Applied);
    Ok(())
}

async fn locks_exclude(cluster: &Cluster) -> Result<(), TestError> {
    let key = LockKey::default();
    for url in &cluster.urls {
        let session = connect(url, LockStrategy::Auto).await?;
        let TryLock::Acquired(mut locked) = session.try_lock(&key).await? else {
            return Err("a session did not acquire a free lock".into());
        };
        for other in &cluster.urls {
            let other = connect(other, LockStrategy::Auto).await?;
            let TryLock::Busy(mut other) = other.try_lock(&key).await? else {
                return Err("two sessions hold the lock".into());
            };
            let holder = other
                .holder(&key)
                .await?
                .ok_or("the holder of a held lock is unknown")?;
            assert!(
                holder.session.is_some() && holder.host.is_some(),
                "{holder:?}"
            );
        }
        assert!(locked.holds().await?);
        locked.release().await?;
    }
    Ok(())
}

async fn race(cluster: &Cluster) -> Result<(), TestError> {
    let rounds =
        variable("LOCKAGE_TEST_GALERA_ROUNDS").map_or(Ok(ROUNDS), |rounds| rounds.parse())?;
    let mut expected = None;
    for round in 0..rounds {
        let cluster = Cluster::create(&cluster.urls).await?;
        let found = race_once(&cluster)
            .await
            .map_err(|failure| format!("round {round}: {failure}"))?;
        let expected = expected.get_or_insert_with(|| found.clone());
        if found != *expected {
            return Err(format!("round {round}: expected {expected:#?}, found {found:#?}").into());
        }
        cluster.remove().await?;
    }
    Ok(())
}

/// Runs replicas on all nodes at the same time, and returns the effects of the migrations.
async fn race_once(cluster: &Cluster) -> Result<Vec<String>, TestError> {
    let folder = ScratchDir::new()?;
    let mut replicas = Vec::new();
    for index in 0..REPLICAS {
        let url = &cluster.urls[index % cluster.urls.len()];
        replicas.push(Replica::start(url, folder.path())?);
    }
    // All processes exist before the first migrates.
    for replica in &mut replicas {
        replica.run()?;
    }
    for replica in &mut replicas {
        let result = replica.wait()?;
        if result != "ok" {
            return Err(format!("a replica failed: {result}").into());
        }
    }
    if folder.has_overlap() {
        return Err("two replicas held the lock at the same time".into());
    }
    let outcome = runner(&cluster.urls[0], FILES)?.up().await?.outcome;
    assert_eq!(outcome, Outcome::UpToDate);
    effects(&cluster.urls[0]).await
}

async fn resumes(cluster: &Cluster) -> Result<(), TestError> {
    let folder = ScratchDir::new()?;
    let mut killed = 0;
    for url in cluster.urls.iter().cycle().take(9) {
        let mut replica = Replica::start(url, folder.path())?;
        replica.run()?;
        tokio::time::sleep(Duration::from_millis(fastrand::u64(20..600))).await;
        killed += u32::from(replica.kill()?);
    }
    runner(&cluster.urls[0], FILES)?.up().await?;
    let found = effects(&cluster.urls[0]).await?;
    let calls = found
        .iter()
        .filter(|line| line.as_str() == "bumped")
        .count();
    assert_eq!(calls, 1, "{found:#?}");
    assert!(killed > 0, "all replicas had ended before they were killed");
    Ok(())
}
