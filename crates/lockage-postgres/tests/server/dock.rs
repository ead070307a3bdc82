//! A server of a test's own, which it may stop.

use lockage_testkit::Failure;
use lockage_testkit::engine::PostgresServer;

/// Why there can be no server of a test's own.
pub(crate) fn lacks_server(path: &str) -> Option<String> {
    PostgresServer::find(path).is_none().then(|| {
        "no PostgreSQL server on this machine that may be stopped: install its package".into()
    })
}

/// A server of the newest binaries.
pub(crate) fn server(path: &str, settings: &[&str]) -> Result<PostgresServer, Failure> {
    let binaries = PostgresServer::find(path).ok_or("no binaries")?;
    PostgresServer::start(&binaries, settings)
}
