//! Tests of the backend on SQL Server, or on a server that speaks its protocol: the one of LOCKAGE_TEST_SQLSERVER_URL.
//!
//! Each test has its own database. A test that requires an unsupported feature is skipped.

mod connect;
mod databases_and_logins;
#[path = "../direct_client/mod.rs"]
mod direct_client;
#[path = "../protocol/event_recorder.rs"]
mod event_recorder;
mod leases;
mod scripts;
mod test_database;

use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use lockage_sqlserver::lockage_core::BoxFuture;
use lockage_testkit::TestError;

use test_database::{Feature, TestDatabase};

/// The time limit of each test.
const TIMEOUT: Duration = Duration::from_secs(300);

/// A test on its own database.
type Test = for<'a> fn(&'a TestDatabase) -> BoxFuture<'a, Result<(), TestError>>;

/// Lists the tests of a module with their names and the features that they require.
macro_rules! tests {
    ($($test:ident $([$feature:ident])?),* $(,)?) => {
        pub(crate) const TESTS: &[(&str, Option<crate::test_database::Feature>, crate::Test)] =
            &[$((
                concat!(module_path!(), "::", stringify!($test)),
                [$(Some(crate::test_database::Feature::$feature),)? None][0],
                |database| Box::pin($test(database)),
            )),*];
    };
}
pub(crate) use tests;

fn main() -> ExitCode {
    let server = direct_client::server_url();
    let lists = [
        connect::TESTS,
        databases_and_logins::TESTS,
        leases::TESTS,
        scripts::TESTS,
    ];
    let trials = lists.into_iter().flatten().map(|(name, feature, test)| {
        let skip_reason = match (&server, feature) {
            (Err(reason), _) => Some(reason.clone()),
            (Ok(url), Some(feature)) => block_on(Feature::unsupported(*feature, url)),
            (Ok(_), None) => None,
        };
        let (server, test) = (server.clone(), *test);
        let name = name.trim_start_matches("server::");
        let trial = Trial::test(name, move || {
            block_on(run(server?, test)).map_err(|error| Failed::from(error.to_string()))
        });
        match skip_reason {
            Some(reason) => trial
                .with_ignored_flag(true)
                .with_kind(format!("left out: {reason}")),
            None => trial,
        }
    });
    let mut arguments = Arguments::from_args();
    // Databases of a compatible server may share their locks.
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(future),
        Err(error) => panic!("cannot start a runtime: {error}"),
    }
}

async fn run(server: String, test: Test) -> Result<(), TestError> {
    let database = TestDatabase::create(&server, "").await?;
    let outcome = tokio::time::timeout(TIMEOUT, test(&database)).await;
    database.drop().await?;
    outcome.map_err(|_| TestError::from(format!("the test did not end within {TIMEOUT:?}")))?
}
