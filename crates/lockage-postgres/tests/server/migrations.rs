//! Runners over migrations whose scripts are texts.

use lockage_core::{
    ConnectOptions, LockStrategy, MigrationSet, Registry, Report, RunError, Runner,
};
use lockage_postgres::BACKEND;
use lockage_testkit::TestError;
use tokio::task::JoinHandle;

/// Returns a runner with the default options.
pub(crate) fn runner<F: AsRef<str>, T: AsRef<str>>(
    url: &str,
    files: &[(F, T)],
) -> Result<Runner, TestError> {
    let files = files
        .iter()
        .map(|(name, text)| (name.as_ref().to_owned(), text.as_ref().to_owned()));
    Ok(Runner::new(
        Registry::default().with(BACKEND)?,
        ConnectOptions::new(url)?,
        MigrationSet::from_texts(files)?,
    ))
}

/// Returns the script with the directive that runs it outside a transaction.
pub(crate) fn no_transaction(script: &str) -> String {
    format!("-- lockage: no-transaction\n{script}")
}

/// Runs `up` in a task.
pub(crate) fn spawn_up(runner: Runner) -> JoinHandle<Result<Report, RunError>> {
    tokio::spawn(async move { runner.up().await })
}

/// Returns the runner with this lock strategy.
pub(crate) fn with_lock_strategy(runner: Runner, strategy: LockStrategy) -> Runner {
    runner.connect_options(|options| options.lock_strategy = strategy)
}

/// Returns the versions of the migrations that a run applied.
pub(crate) fn applied_versions(report: &Report) -> Vec<&str> {
    report
        .applied
        .iter()
        .filter_map(|migration| migration.version.as_deref())
        .collect()
}
