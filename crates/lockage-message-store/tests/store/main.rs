//! The message store on every engine: at LOCKAGE_TEST_POSTGRES_URL, LOCKAGE_TEST_MARIADB_URL, LOCKAGE_TEST_MYSQL_URL and
//! LOCKAGE_TEST_SQLSERVER_URL, or on servers that are started from the binaries of this machine.
//!
//! `LOCKAGE_TEST_ROUNDS` (default 2) and `LOCKAGE_TEST_REPLICAS` (default 16) say how often and how many processes race.

mod catalog;
mod child;
mod database;
mod document;
mod locking;
mod peer;
mod racing;
mod rows;
mod running;
mod schema;
mod site;
mod tenants;
mod watch;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use lockage_message_store::lockage_core::BoxFuture;
use lockage_testkit::TestError;

use database::Database;
use site::{Engine, TargetEngine};

/// No test takes longer; one that does waits for something that will not come.
const DEADLINE: Duration = Duration::from_secs(300);

/// A test, with a database of its own that is empty.
type Test = for<'a> fn(&'a Database) -> BoxFuture<'a, Result<(), TestError>>;

/// Names a module's tests, for the list below.
macro_rules! tests {
    ($($test:ident),* $(,)?) => {
        pub(crate) const TESTS: &[(&str, crate::Test)] =
            &[$((stringify!($test), |database| Box::pin($test(database)))),*];
    };
}
pub(crate) use tests;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(child::ARGUMENT) {
        return child::serve();
    }
    let sites: Vec<Arc<TargetEngine>> = TargetEngine::all().into_iter().map(Arc::new).collect();
    let lists = [
        racing::TESTS,
        locking::TESTS,
        running::TESTS,
        schema::TESTS,
        rows::TESTS,
        tenants::TESTS,
    ];
    let mut trials = Vec::new();
    for site in &sites {
        for (name, test) in lists.into_iter().flatten() {
            trials.push(trial(site, name, *test));
        }
    }
    let mut arguments = Arguments::from_args();
    let locks_meet = |site: &Arc<TargetEngine>| site.peer().is_some_and(|peer| !peer.locks_are_a_databases);
    if sites.iter().any(locks_meet) {
        arguments.test_threads = Some(1);
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    // Servers that were started for this end here.
    drop(sites);
    conclusion.exit_code()
}

fn trial(site: &Arc<TargetEngine>, name: &str, test: Test) -> Trial {
    let lacks = site.unavailable_reason().or_else(|| does_not_apply(name, site));
    let shown = match &lacks {
        Some(reason) => format!("{}::{name} (left out: {reason})", site.name()),
        None => format!("{}::{name}", site.name()),
    };
    let site = Arc::clone(site);
    Trial::test(shown, move || run(&site, test)).with_ignored_flag(lacks.is_some())
}

/// Why a test says nothing about an engine.
fn does_not_apply(name: &str, site: &TargetEngine) -> Option<String> {
    let peer = site.peer();
    match (name, site.engine()) {
        ("existing_schema_needs_no_create_privilege", Engine::Sqlite) => {
            Some("SQLite has no schemas and no rights".into())
        }
        ("tenants_are_migrated_in_parallel_under_their_own_locks", _)
            if peer.is_some_and(|peer| !peer.locks_are_a_databases) =>
        {
            Some("the peer's databases share their application locks".into())
        }
        (
            "lock_lost_on_server_is_detected"
            | "create_only_waits_for_creating_process",
            _,
        ) if peer.is_some_and(|peer| !peer.lists_locks) => {
            Some("the peer does not list who holds its locks".into())
        }
        _ => None,
    }
}

fn run(site: &TargetEngine, test: Test) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()?;
    let done = runtime.block_on(async {
        let database = Database::fresh(site).await?;
        let outcome = tokio::time::timeout(DEADLINE, test(&database)).await;
        database.remove().await?;
        outcome.map_err(|_| TestError::from(format!("not done after {DEADLINE:?}")))?
    });
    runtime.shutdown_background();
    done.map_err(|failure| Failed::from(format!("{failure:?}")))
}
