//! What a session is set to, at its beginning and before each migration.

use std::time::Duration;

use lockage_sql::MigrationContext;

use crate::dialect::backticked;

/// The same on every server, so that a script means the same everywhere and stored routines remember the same. `ANSI_QUOTES` and
/// `NO_BACKSLASH_ESCAPES` are off: scripts are split by these rules. `ONLY_FULL_GROUP_BY` is off, since MySQL and MariaDB disagree on it.
pub(crate) const SQL_MODE: &str = "STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION";

/// What every session begins with. The comments hold what only one of the two servers knows; `innodb_snapshot_isolation` is on in new
/// MariaDBs and unknown to all others, and would fail a statement because another session wrote the same row.
pub(crate) fn beginning() -> String {
    format!(
        "SET NAMES utf8mb4; \
         SET SESSION sql_mode = '{SQL_MODE}', time_zone = '+00:00', autocommit = 1, foreign_key_checks = 1, unique_checks = 1, \
         sql_safe_updates = 0 /*!80000 , max_execution_time = 0 */ /*M! , max_statement_time = 0 */ \
         /*M!110602 , innodb_snapshot_isolation = 0 */; \
         SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET SESSION TRANSACTION READ WRITE"
    )
}

/// What makes a node of a cluster read what another one has just committed.
pub(crate) const READ_THE_NEWEST: &str = "SET SESSION wsrep_sync_wait = 1";

/// What each migration begins with: everything as at the beginning of the session, the database included, and its own time limits.
pub(crate) fn before_migration(work: &MigrationContext<'_>, home: &str) -> Vec<String> {
    let wait = seconds(work.ddl_lock_timeout);
    vec![
        beginning(),
        format!("SET SESSION lock_wait_timeout = {wait}, innodb_lock_wait_timeout = {wait}"),
        format!("USE {}", backticked(home)),
    ]
}

/// After how long a silence the server ends the session: while it waits for the next statement, for the rest of one, and for the client to
/// take a result.
pub(crate) fn silence(limit: Option<Duration>) -> String {
    let limit = seconds(limit);
    format!(
        "SET SESSION wait_timeout = {limit}, net_read_timeout = {limit}, net_write_timeout = {limit}"
    )
}

/// Whole seconds, at least one; without a limit the server's own.
fn seconds(limit: Option<Duration>) -> String {
    match limit {
        Some(limit) => limit
            .as_millis()
            .div_ceil(1000)
            .clamp(1, 31_536_000)
            .to_string(),
        None => "DEFAULT".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_limits_are_whole_seconds() {
        assert_eq!(seconds(Some(Duration::from_millis(1))), "1");
        assert_eq!(seconds(Some(Duration::from_millis(1001))), "2");
        assert_eq!(seconds(None), "DEFAULT");
    }
}
