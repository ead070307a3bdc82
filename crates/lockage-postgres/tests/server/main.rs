//! What the backend does with a real server: at LOCKAGE_TEST_POSTGRES_URL, or started from binaries of this machine. Each test has a
//! database of its own.

mod away;
mod child;
mod connecting;
mod disk;
mod dock;
mod indexes;
mod locking;
mod own_transactions;
mod place;
mod pooling;
mod proxy;
mod rights;
mod round_trips;
mod scripts;
mod standby;
mod tls;
mod vanished;

use std::process::ExitCode;
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use lockage_core::BoxFuture;
use lockage_testkit::TestError;
use lockage_test_matrix::engine::{NetworkNamespace, PostgresSource};

use place::Place;

/// No test takes longer; one that does waits for something that will not come.
const DEADLINE: Duration = Duration::from_secs(300);

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

#[expect(
    clippy::disallowed_methods,
    reason = "a test program reads its environment"
)]
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if let Some(code) = child::play(&args) {
        return code;
    }
    let url = std::env::var("LOCKAGE_TEST_POSTGRES_URL").ok();
    let path = std::env::var("PATH").unwrap_or_default();
    let origin = Arc::new(PostgresSource::find(url, &path));
    let _ = PATH.set(path);
    let lists = [
        away::TESTS,
        connecting::TESTS,
        disk::TESTS,
        indexes::TESTS,
        locking::TESTS,
        own_transactions::TESTS,
        pooling::TESTS,
        rights::TESTS,
        round_trips::TESTS,
        scripts::TESTS,
        standby::TESTS,
        tls::TESTS,
        vanished::TESTS,
    ];
    let trials = lists
        .into_iter()
        .flatten()
        .map(|(name, test)| trial(&origin, name, *test))
        .collect();
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    // A server that was started for this ends here.
    drop(origin);
    conclusion.exit_code()
}

/// Where binaries are looked for, as `PATH` writes it.
static PATH: OnceLock<String> = OnceLock::new();

pub(crate) fn path() -> &'static str {
    PATH.get().map_or("", String::as_str)
}

/// Why there are no hosts that can vanish.
static NAMESPACE_UNAVAILABLE: LazyLock<Option<String>> = LazyLock::new(NetworkNamespace::unavailable_reason);

/// What a test needs that not every machine has.
fn lacks(name: &str) -> Option<String> {
    match name {
        "vanished::a_frozen_holder_that_lost_the_lock_writes_nothing" => None,
        name if name.starts_with("vanished::") => NAMESPACE_UNAVAILABLE.clone(),
        "away::a_server_that_is_restarted_is_waited_for" => dock::lacks_server(path()),
        name if name.starts_with("disk::") => dock::lacks_server(path()).or_else(disk::lacks),
        name if name.starts_with("standby::") => dock::lacks_server(path()),
        name if name.starts_with("pooling::") => pooling::lacks(),
        _ => None,
    }
}

fn trial(origin: &Arc<Result<PostgresSource, String>>, name: &str, test: Test) -> Trial {
    let name = name.trim_start_matches("server::");
    let origin = Arc::clone(origin);
    let lacks = origin
        .as_ref()
        .as_ref()
        .err()
        .cloned()
        .or_else(|| lacks(name));
    let trial = Trial::test(name, move || run(&origin, test));
    match lacks {
        // Part of the name, since no runner shows another word about a test that it leaves out.
        Some(reason) => trial
            .with_ignored_flag(true)
            .with_kind(format!("left out: {reason}")),
        None => trial,
    }
}

fn run(origin: &Result<PostgresSource, String>, test: Test) -> Result<(), Failed> {
    let url = origin
        .as_ref()?
        .url()
        .map_err(|failure| failure.to_string())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let done = runtime.block_on(async {
        let place = Place::new(url).await?;
        let outcome = tokio::time::timeout(DEADLINE, test(&place)).await;
        place.remove().await?;
        outcome.map_err(|_| TestError::from(format!("not done after {DEADLINE:?}")))?
    });
    runtime.shutdown_background();
    done.map_err(|failure| Failed::from(format!("{failure:?}")))
}
