//! What a session is set to, at its beginning and before each migration.

use std::time::Duration;

use lockage_sql::MigrationContext;

/// The same on every server, so that a script means the same everywhere. An error ends the batch and the transaction that it stands in.
pub(crate) const BEGINNING: &str = "SET XACT_ABORT ON; SET NOCOUNT ON; SET IMPLICIT_TRANSACTIONS OFF; SET ROWCOUNT 0; \
     SET QUOTED_IDENTIFIER ON; SET ANSI_NULLS ON; SET ANSI_PADDING ON; SET ANSI_WARNINGS ON; SET ARITHABORT ON; \
     SET CONCAT_NULL_YIELDS_NULL ON; SET NUMERIC_ROUNDABORT OFF; SET LANGUAGE us_english; \
     SET TRANSACTION ISOLATION LEVEL READ COMMITTED;";

/// What makes the server run what it is sent, whatever a script has set. A batch of its own: while one of these is on, what stands in the
/// same batch does not run.
pub(crate) const RUN_AGAIN: &str = "SET NOEXEC OFF; SET PARSEONLY OFF; SET FMTONLY OFF;";

/// What our own statements need, whatever a script has set.
pub(crate) const OWN_NEEDS: &str =
    "SET XACT_ABORT ON; SET IMPLICIT_TRANSACTIONS OFF; SET ROWCOUNT 0; SET ANSI_WARNINGS ON;";

/// How long a statement of a migration waits for a table.
pub(crate) fn lock_timeout(work: &MigrationContext<'_>) -> String {
    let wait = work.ddl_lock_timeout.map_or(-1, milliseconds);
    format!("SET LOCK_TIMEOUT {wait}")
}

/// Whole milliseconds, at least one.
fn milliseconds(limit: Duration) -> i64 {
    i64::from(i32::try_from(limit.as_millis()).unwrap_or(i32::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_limits_are_whole_milliseconds() {
        assert_eq!(milliseconds(Duration::from_micros(1)), 1);
        assert_eq!(milliseconds(Duration::from_millis(1500)), 1500);
        assert_eq!(milliseconds(Duration::MAX), i64::from(i32::MAX));
    }
}
