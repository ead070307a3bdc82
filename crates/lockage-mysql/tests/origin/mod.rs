//! Where the server of the tests comes from.

use lockage_testkit::engine::MariadbOrigin;

/// The server of the environment, or one of the machine's binaries.
#[expect(
    clippy::disallowed_methods,
    reason = "a test program reads its environment"
)]
pub(crate) fn origin() -> Result<MariadbOrigin, String> {
    let url = std::env::var("LOCKAGE_TEST_MYSQL_URL")
        .or_else(|_| std::env::var("LOCKAGE_TEST_MARIADB_URL"));
    MariadbOrigin::find(url.ok(), &std::env::var("PATH").unwrap_or_default())
}
