//! What the backend does with a real server: at LOCKAGE_TEST_MYSQL_URL or LOCKAGE_TEST_MARIADB_URL, or MariaDB started from binaries of
//! this machine. Each test has a database of its own.

mod away;
mod connecting;
mod cuts;
mod in_doubt;
mod locking;
#[path = "../origin/mod.rs"]
mod origin;
mod place;
mod proxy;
mod rights;
mod round_trips;
mod scripts;
mod sessions;
mod table_lock;
#[path = "../voyage/mod.rs"]
mod voyage;
#[path = "../witness/mod.rs"]
mod witness;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use lockage_mysql::lockage_core::BoxFuture;
use lockage_testkit::TestError;
use lockage_test_matrix::engine::MariadbSource;

use place::Place;

/// A test.
type Test = for<'a> fn(&'a Place) -> BoxFuture<'a, Result<(), TestError>>;

/// Names a module's tests, for the list below.
macro_rules! tests {
    ($($test:ident),* $(,)?) => {
        pub(crate) const TESTS: &[(&str, crate::Test)] =
            &[$((concat!(module_path!(), "::", stringify!($test)), |place| Box::pin($test(place)))),*];
    };
}
pub(crate) use tests;

fn main() -> ExitCode {
    let origin = Arc::new(origin::origin());
    let lists = [
        away::TESTS,
        connecting::TESTS,
        cuts::TESTS,
        in_doubt::TESTS,
        locking::TESTS,
        rights::TESTS,
        round_trips::TESTS,
        scripts::TESTS,
        sessions::TESTS,
        table_lock::TESTS,
    ];
    let trials = lists.into_iter().flatten();
    let trials = trials
        .map(|(name, test)| trial(&origin, name, *test))
        .collect();
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    // A server that was started for this ends here.
    drop(origin);
    conclusion.exit_code()
}

fn trial(origin: &Arc<Result<MariadbSource, String>>, name: &str, test: Test) -> Trial {
    let name = name.trim_start_matches("server::");
    let origin = Arc::clone(origin);
    let lacks = origin.as_ref().as_ref().err().cloned();
    let trial = Trial::test(name, move || run(&origin, test));
    match lacks {
        // Part of the name, since no runner shows another word about a test that it leaves out.
        Some(reason) => trial
            .with_ignored_flag(true)
            .with_kind(format!("left out: {reason}")),
        None => trial,
    }
}

fn run(origin: &Result<MariadbSource, String>, test: Test) -> Result<(), Failed> {
    let url = origin
        .as_ref()?
        .url()
        .map_err(|failure| failure.to_string())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime
        .block_on(async {
            let place = Place::new(url).await?;
            let outcome = test(&place).await;
            place.remove().await?;
            outcome
        })
        .map_err(|failure: TestError| Failed::from(format!("{failure:?}")))
}
