//! The server of the tests.

use lockage_test_matrix::engine::MariadbSource;

/// Returns the server at a URL in the environment, or one that is started from local binaries.
#[expect(
    clippy::disallowed_methods,
    reason = "a test program reads its environment"
)]
pub(crate) fn find_test_server() -> Result<MariadbSource, String> {
    let url = std::env::var("LOCKAGE_TEST_MYSQL_URL")
        .or_else(|_| std::env::var("LOCKAGE_TEST_MARIADB_URL"));
    MariadbSource::find(url.ok(), &std::env::var("PATH").unwrap_or_default())
}
