//! The message store on every engine: at `LOCKAGE_TEST_POSTGRES_URL`, `LOCKAGE_TEST_MARIADB_URL`, `LOCKAGE_TEST_MYSQL_URL` and
//! `LOCKAGE_TEST_SQLSERVER_URL`, or on servers that the test starts from installed binaries.
//!
//! `LOCKAGE_TEST_ROUNDS` (default 2) and `LOCKAGE_TEST_REPLICAS` (default 16) set the number of rounds and of processes in a race.

mod catalog;
mod concurrency;
mod database;
mod documented_schema;
mod lifecycle;
mod locking;
mod observers;
mod replica;
mod rows;
mod schema;
mod server_features;
mod target_engine;
mod tenants;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use lockage_message_store::lockage_core::BoxFuture;
use lockage_testkit::TestError;

use database::Database;
use target_engine::{Engine, TargetEngine};

/// The maximum duration of a test.
const TEST_TIMEOUT: Duration = Duration::from_secs(300);

/// A test. It gets its own empty database.
type Test = for<'a> fn(&'a Database) -> BoxFuture<'a, Result<(), TestError>>;

/// Lists the tests of a module.
macro_rules! tests {
    ($($test:ident),* $(,)?) => {
        pub(crate) const TESTS: &[(&str, crate::Test)] =
            &[$((stringify!($test), |database| Box::pin($test(database)))),*];
    };
}
pub(crate) use tests;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(replica::CHILD_ARG) {
        return replica::run();
    }
    let targets: Vec<Arc<TargetEngine>> = TargetEngine::all().into_iter().map(Arc::new).collect();
    let lists = [
        concurrency::TESTS,
        locking::TESTS,
        lifecycle::TESTS,
        schema::TESTS,
        rows::TESTS,
        tenants::TESTS,
    ];
    let mut trials = Vec::new();
    for target in &targets {
        for (name, test) in lists.into_iter().flatten() {
            trials.push(trial(target, name, *test));
        }
    }
    let mut arguments = Arguments::from_args();
    let shares_locks = |target: &Arc<TargetEngine>| {
        target
            .features()
            .is_some_and(|features| !features.locks_are_per_database)
    };
    if targets.iter().any(shares_locks) {
        arguments.test_threads = Some(1);
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    // Terminates the servers that this program started.
    drop(targets);
    conclusion.exit_code()
}

fn trial(target: &Arc<TargetEngine>, name: &str, test: Test) -> Trial {
    let skipped = target
        .unavailable_reason()
        .or_else(|| skip_reason(name, target));
    let shown = match &skipped {
        Some(reason) => format!("{}::{name} (skipped: {reason})", target.name()),
        None => format!("{}::{name}", target.name()),
    };
    let target = Arc::clone(target);
    Trial::test(shown, move || run(&target, test)).with_ignored_flag(skipped.is_some())
}

/// Returns the reason why a test does not apply to an engine.
fn skip_reason(name: &str, target: &TargetEngine) -> Option<String> {
    let features = target.features();
    match (name, target.engine()) {
        ("existing_schema_needs_no_create_privilege", Engine::Sqlite) => {
            Some("SQLite has no schemas and no privileges".into())
        }
        ("tenants_are_migrated_in_parallel_under_their_own_locks", _)
            if features.is_some_and(|features| !features.locks_are_per_database) =>
        {
            Some("all databases of the server share application locks".into())
        }
        ("lock_lost_on_server_is_detected" | "create_only_waits_for_creating_process", _)
            if features.is_some_and(|features| !features.lists_locks) =>
        {
            Some("the server does not list the holders of locks".into())
        }
        _ => None,
    }
}

fn run(target: &TargetEngine, test: Test) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()?;
    let result = runtime.block_on(async {
        let database = Database::create(target).await?;
        let outcome = tokio::time::timeout(TEST_TIMEOUT, test(&database)).await;
        database.drop().await?;
        outcome.map_err(|_| TestError::from(format!("timed out after {TEST_TIMEOUT:?}")))?
    });
    runtime.shutdown_background();
    result.map_err(|failure| Failed::from(format!("{failure:?}")))
}
