//! Session settings: the defaults of every migration, and the settings that internal statements need.

use std::time::Duration;

/// Settings at the start of a session and before each migration.
///
/// They are the same on every server, so that a script behaves the same everywhere. With `XACT_ABORT`, an error ends the batch
/// and rolls back the transaction.
pub(crate) const SESSION_DEFAULTS: &str = "SET XACT_ABORT ON; SET NOCOUNT ON; SET IMPLICIT_TRANSACTIONS OFF; SET ROWCOUNT 0; \
     SET QUOTED_IDENTIFIER ON; SET ANSI_NULLS ON; SET ANSI_PADDING ON; SET ANSI_WARNINGS ON; SET ARITHABORT ON; \
     SET CONCAT_NULL_YIELDS_NULL ON; SET NUMERIC_ROUNDABORT OFF; SET LANGUAGE us_english; \
     SET TRANSACTION ISOLATION LEVEL READ COMMITTED;";

/// Turns execution on again after a script turned it off. It must be a batch of its own: the server compiles a batch and does
/// not run it while one of these settings is on.
pub(crate) const RESET_EXECUTION: &str = "SET NOEXEC OFF; SET PARSEONLY OFF; SET FMTONLY OFF;";

/// Settings that internal statements need, whatever a script set.
pub(crate) const INTERNAL_SETTINGS: &str =
    "SET XACT_ABORT ON; SET IMPLICIT_TRANSACTIONS OFF; SET ROWCOUNT 0; SET ANSI_WARNINGS ON;";

/// Returns the statement that limits how long a statement of a migration waits for a lock on a table.
pub(crate) fn set_lock_timeout(timeout: Option<Duration>) -> String {
    let milliseconds = timeout.map_or(-1, whole_milliseconds);
    format!("SET LOCK_TIMEOUT {milliseconds}")
}

/// Rounds down to whole milliseconds, with a minimum of one: zero would mean not to wait.
fn whole_milliseconds(timeout: Duration) -> i64 {
    i64::from(
        i32::try_from(timeout.as_millis())
            .unwrap_or(i32::MAX)
            .max(1),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_timeout_is_at_least_one_millisecond() {
        assert_eq!(set_lock_timeout(None), "SET LOCK_TIMEOUT -1");
        assert_eq!(whole_milliseconds(Duration::from_micros(1)), 1);
        assert_eq!(whole_milliseconds(Duration::from_millis(1500)), 1500);
        assert_eq!(whole_milliseconds(Duration::MAX), i64::from(i32::MAX));
    }
}
