//! Tests of programs without the default harness.

use libtest_mimic::{Failed, Trial};
use lockage_testkit::TestError;

/// Returns a test that runs on an asynchronous runtime. With a reason it is skipped, and the reason is printed.
pub(crate) fn trial<F, T>(name: &str, skip_reason: Option<String>, test: F) -> Trial
where
    F: FnOnce() -> T + Send + 'static,
    T: Future<Output = Result<(), TestError>>,
{
    let trial = Trial::test(name, move || {
        block_on(2, async { test().await }).map_err(|failure| Failed::from(format!("{failure:?}")))
    });
    match skip_reason {
        // The kind becomes a part of the printed name, which every test runner shows for a skipped test.
        Some(reason) => trial
            .with_ignored_flag(true)
            .with_kind(format!("left out: {reason}")),
        None => trial,
    }
}

/// Runs a future on a runtime with so many worker threads.
pub(crate) fn block_on<T>(
    worker_threads: usize,
    future: impl Future<Output = Result<T, TestError>>,
) -> Result<T, TestError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(worker_threads)
        .enable_all()
        .build()?
        .block_on(future)
}
