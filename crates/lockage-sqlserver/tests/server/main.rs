//! What the backend does with a real server, or with a peer that speaks its protocol: at LOCKAGE_TEST_SQLSERVER_URL. Each test has a database
//! of its own; one that the peer cannot serve is left out by what the peer was asked for.

mod connecting;
mod leases;
mod place;
mod scripts;
mod settings;
#[path = "../protocol/told.rs"]
mod told;
#[path = "../witness/mod.rs"]
mod witness;

use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use lockage_sqlserver::lockage_core::BoxFuture;
use lockage_testkit::TestError;

use place::Place;

/// No test takes longer; one that does waits for something that will not come.
const DEADLINE: Duration = Duration::from_secs(300);

/// A test, with a database of its own. A reason why the server cannot serve it is no failure.
type Test = for<'a> fn(&'a Place) -> BoxFuture<'a, Result<(), TestError>>;

/// Names a module's tests, for the list below, each with what it needs of the server.
macro_rules! tests {
    ($($test:ident $([$need:ident])?),* $(,)?) => {
        pub(crate) const TESTS: &[(&str, Option<crate::place::Need>, crate::Test)] =
            &[$((
                concat!(module_path!(), "::", stringify!($test)),
                [$(Some(crate::place::Need::$need),)? None][0],
                |place| Box::pin($test(place)),
            )),*];
    };
}
pub(crate) use tests;

fn main() -> ExitCode {
    let server = witness::server();
    let lists = [
        connecting::TESTS,
        leases::TESTS,
        scripts::TESTS,
        settings::TESTS,
    ];
    let trials = lists.into_iter().flatten().map(|(name, need, test)| {
        let lacks = match (&server, need) {
            (Err(reason), _) => Some(reason.clone()),
            (Ok(url), Some(need)) => block_on(need.lacks(url)),
            (Ok(_), None) => None,
        };
        let (server, test) = (server.clone(), *test);
        let name = name.trim_start_matches("server::");
        let trial = Trial::test(name, move || {
            block_on(run(server?, test)).map_err(|failure| Failed::from(failure.to_string()))
        });
        match lacks {
            Some(reason) => trial
                .with_ignored_flag(true)
                .with_kind(format!("left out: {reason}")),
            None => trial,
        }
    });
    let mut arguments = Arguments::from_args();
    // The locks of a peer may be the whole server's.
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => panic!("no runtime: {error}"),
    }
}

async fn run(server: String, test: Test) -> Result<(), TestError> {
    let place = Place::new(&server, "").await?;
    let done = tokio::time::timeout(DEADLINE, test(&place)).await;
    place.remove().await?;
    done.map_err(|_| TestError::from(format!("not done after {DEADLINE:?}")))?
}
