//! How a statement of a script without a transaction commits together with its journal row.

use lockage_sql::StatementMode;
use lockage_sql::script::leading_words;

use crate::dialect::DIALECT;

/// Returns the mode of a statement.
///
/// SQLite rejects `VACUUM` inside a transaction, and rejects or ignores many `PRAGMA`, `ATTACH` and `DETACH` statements there.
/// Those mostly change the session, so a run that resumes after them must run them again.
pub(crate) fn statement_mode(statement: &str) -> StatementMode {
    let words = leading_words(statement, DIALECT.syntax, 1);
    match words.first().map(String::as_str) {
        Some("VACUUM") => StatementMode::Autocommit { snapshot: None },
        Some("PRAGMA" | "ATTACH" | "DETACH") => StatementMode::SessionSetting,
        _ => StatementMode::WithJournal,
    }
}
