//! Tests of the backend on a real server: the one at LOCKAGE_TEST_POSTGRES_URL, or one started from binaries on this machine. Each
//! test has a database of its own.

mod child;
mod connect;
mod disk_full;
mod error_checks;
mod event_recorder;
mod host_loss;
mod indexes;
mod locking;
mod migrations;
mod pgbouncer;
mod pooling;
mod private_server;
mod privileges;
mod reconnect;
mod round_trips;
mod script_transactions;
mod scripts;
mod session_state;
#[path = "../sql_client/mod.rs"]
mod sql_client;
mod standby;
mod tcp_proxy;
mod test_database;
mod tls;

use std::process::ExitCode;
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use lockage_core::BoxFuture;
use lockage_test_matrix::engine::{NetworkNamespace, PostgresSource};
use lockage_testkit::TestError;

use test_database::TestDatabase;

/// The maximum duration of a test.
const TEST_TIMEOUT: Duration = Duration::from_secs(300);

/// A test function.
type Test = for<'a> fn(&'a TestDatabase) -> BoxFuture<'a, Result<(), TestError>>;

/// Lists the tests of a module under their full names.
macro_rules! tests {
    ($($test:ident),* $(,)?) => {
        pub(crate) const TESTS: &[(&str, crate::Test)] =
            &[$((concat!(module_path!(), "::", stringify!($test)), |database| Box::pin($test(database)))),*];
    };
}
pub(crate) use tests;

#[expect(
    clippy::disallowed_methods,
    reason = "a test program reads its environment"
)]
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if let Some(code) = child::run_child_if_requested(&args) {
        return code;
    }
    let url = std::env::var("LOCKAGE_TEST_POSTGRES_URL").ok();
    let path = std::env::var("PATH").unwrap_or_default();
    let source = Arc::new(PostgresSource::find(url, &path));
    let _ = SEARCH_PATH.set(path);
    let lists = [
        connect::TESTS,
        disk_full::TESTS,
        host_loss::TESTS,
        indexes::TESTS,
        locking::TESTS,
        pooling::TESTS,
        privileges::TESTS,
        reconnect::TESTS,
        round_trips::TESTS,
        script_transactions::TESTS,
        scripts::TESTS,
        session_state::TESTS,
        standby::TESTS,
        tls::TESTS,
    ];
    let trials = lists
        .into_iter()
        .flatten()
        .map(|(name, test)| trial(&source, name, *test))
        .collect();
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    // Stops the server that was started for the tests: `exit` would not.
    drop(source);
    conclusion.exit_code()
}

/// The search path for binaries, in the format of `PATH`.
static SEARCH_PATH: OnceLock<String> = OnceLock::new();

pub(crate) fn search_path() -> &'static str {
    SEARCH_PATH.get().map_or("", String::as_str)
}

/// Why hosts that vanish cannot be simulated, if they cannot.
static NAMESPACE_UNAVAILABLE: LazyLock<Option<String>> =
    LazyLock::new(NetworkNamespace::unavailable_reason);

/// Returns why a test cannot run on this machine.
fn unavailable_reason(name: &str) -> Option<String> {
    match name {
        "host_loss::frozen_holder_writes_nothing_after_lock_loss" => None,
        name if name.starts_with("host_loss::") => NAMESPACE_UNAVAILABLE.clone(),
        "reconnect::run_continues_after_server_restart" => {
            private_server::unavailable_reason(search_path())
        }
        name if name.starts_with("disk_full::") => {
            private_server::unavailable_reason(search_path()).or_else(disk_full::unavailable_reason)
        }
        name if name.starts_with("standby::") => private_server::unavailable_reason(search_path()),
        name if name.starts_with("pooling::") => pgbouncer::unavailable_reason(),
        _ => None,
    }
}

fn trial(source: &Arc<Result<PostgresSource, String>>, name: &str, test: Test) -> Trial {
    let name = name.trim_start_matches("server::");
    let source = Arc::clone(source);
    let unavailable = source
        .as_ref()
        .as_ref()
        .err()
        .cloned()
        .or_else(|| unavailable_reason(name));
    let trial = Trial::test(name, move || run(&source, test));
    match unavailable {
        // Part of the name, because test runners print nothing else about an ignored test.
        Some(reason) => trial
            .with_ignored_flag(true)
            .with_kind(format!("left out: {reason}")),
        None => trial,
    }
}

fn run(source: &Result<PostgresSource, String>, test: Test) -> Result<(), Failed> {
    let url = source.as_ref()?.url().map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(async {
        let database = TestDatabase::new(url).await?;
        let outcome = tokio::time::timeout(TEST_TIMEOUT, test(&database)).await;
        database.remove().await?;
        outcome.map_err(|_| TestError::from(format!("not finished after {TEST_TIMEOUT:?}")))?
    });
    runtime.shutdown_background();
    outcome.map_err(|error| Failed::from(format!("{error:?}")))
}
