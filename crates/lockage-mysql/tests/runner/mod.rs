//! Runners of the backend under test.

use lockage_mysql::BACKEND;
use lockage_mysql::lockage_core::{ConnectOptions, MigrationSet, Registry, Runner};
use lockage_testkit::TestError;

/// Returns a runner with default options.
pub(crate) fn runner(url: &str, files: &[(&str, &str)]) -> Result<Runner, TestError> {
    let set = MigrationSet::from_texts(files.iter().copied())?;
    let registry = Registry::default().with(BACKEND)?;
    Ok(Runner::new(registry, ConnectOptions::new(url)?, set))
}
