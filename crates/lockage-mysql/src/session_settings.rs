//! The settings of a session, at its start and before each migration.

use std::time::Duration;

use lockage_sql::MigrationContext;

use crate::dialect::backticked;

/// The SQL mode, equal on every server: a script means the same everywhere, and stored routines keep the mode that created them.
///
/// `ANSI_QUOTES` and `NO_BACKSLASH_ESCAPES` are off because scripts are split by these rules. `ONLY_FULL_GROUP_BY` is off because
/// MySQL and MariaDB disagree on it.
pub(crate) const SQL_MODE: &str = "STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION";

/// Returns the settings at the start of a session.
///
/// The comments contain settings that only one of the products has. `innodb_snapshot_isolation` is on by default in new versions of
/// MariaDB and unknown to all other servers. It would fail a statement because another session wrote the same row.
///
/// `sql_select_limit` of the server would cut the history, and the queries of scripts.
pub(crate) fn session_defaults() -> String {
    format!(
        "SET NAMES utf8mb4; \
         SET SESSION sql_mode = '{SQL_MODE}', time_zone = '+00:00', autocommit = 1, foreign_key_checks = 1, unique_checks = 1, \
         sql_safe_updates = 0, completion_type = 0, sql_select_limit = 18446744073709551615 /*!80000 , max_execution_time = 0 */ /*M! , max_statement_time = 0 */ \
         /*M!110602 , innodb_snapshot_isolation = 0 */; \
         SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET SESSION TRANSACTION READ WRITE"
    )
}

/// Makes a cluster node wait, before it reads, for what other nodes have committed.
pub(crate) const WSREP_SYNC_WAIT: &str = "SET SESSION wsrep_sync_wait = 1";

/// Returns the settings before a migration: the session defaults, the time limits of the migration, and the initial database.
pub(crate) fn migration_settings(
    migration: &MigrationContext<'_>,
    initial_database: &str,
) -> Vec<String> {
    let wait = seconds(migration.ddl_lock_timeout);
    vec![
        session_defaults(),
        format!("SET SESSION lock_wait_timeout = {wait}, innodb_lock_wait_timeout = {wait}"),
        format!("USE {}", backticked(initial_database)),
    ]
}

/// Returns the setting after which idle time the server ends the session: while it waits for the next statement, for the rest of a
/// statement, or for the client to read a result.
pub(crate) fn idle_timeout(limit: Option<Duration>) -> String {
    let limit = seconds(limit);
    format!(
        "SET SESSION wait_timeout = {limit}, net_read_timeout = {limit}, net_write_timeout = {limit}"
    )
}

/// Returns a limit in whole seconds, at least one; without a limit the server's default.
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
    fn limit_is_rounded_up_to_seconds() {
        assert_eq!(seconds(Some(Duration::from_millis(1))), "1");
        assert_eq!(seconds(Some(Duration::from_millis(1001))), "2");
        assert_eq!(seconds(None), "DEFAULT");
    }
}
