//! Servers that belong to one test, which may stop them.

use lockage_test_matrix::engine::PostgresServer;
use lockage_testkit::TestError;

/// Returns why no private server can be started.
pub(crate) fn unavailable_reason(path: &str) -> Option<String> {
    PostgresServer::find(path)
        .is_none()
        .then(|| "no PostgreSQL binaries on this machine: install the package of the server".into())
}

/// Starts a server of the newest binaries.
pub(crate) fn start(path: &str, settings: &[&str]) -> Result<PostgresServer, TestError> {
    let binaries = PostgresServer::find(path).ok_or("no PostgreSQL binaries")?;
    PostgresServer::start(&binaries, settings)
}
