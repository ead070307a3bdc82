//! Statements that a migration must not contain.

use lockage_core::{Error, ErrorKind, Result};

use super::cursor::Cursor;
use super::transaction_setting::changes_completion_type;
use super::unsupported_functions::check_functions;

/// Keywords at the start of a statement, why it is rejected, and what to do.
const UNSUPPORTED: &[(&[&str], &str, &str)] = &[
    (
        &["LOCK", "TABLE"],
        "LOCK TABLES prevents Lockage from writing the journal",
        "remove it: no other migration runs at the same time; use a single ALTER TABLE or a transaction",
    ),
    (
        &["LOCK", "TABLES"],
        "LOCK TABLES prevents Lockage from writing the journal",
        "remove LOCK TABLES and UNLOCK TABLES; mysqldump omits them with --skip-add-locks",
    ),
    (
        &["LOCK", "INSTANCE"],
        "LOCK INSTANCE prevents Lockage from writing the journal",
        "remove it",
    ),
    (
        &["XA"],
        "an XA transaction cannot include the journal",
        "use START TRANSACTION and COMMIT",
    ),
];

/// Checks that a migration may contain a statement.
///
/// # Errors
/// [`ErrorKind::InvalidMigration`], without a location.
pub(crate) fn check_supported(text: &str) -> Result<()> {
    let mut at = Cursor::new(text);
    let found = UNSUPPORTED
        .iter()
        .find(|(keywords, ..)| at.peek_keyword(keywords));
    if let Some((_, message, hint)) = found {
        return unsupported(message, hint);
    }
    if at.peek_keyword(&["FLUSH"]) && at.contains("READ") && at.contains("LOCK") {
        return unsupported(
            "FLUSH TABLES WITH READ LOCK prevents Lockage from writing the journal",
            "remove it",
        );
    }
    let loads = at.eat(&["LOAD", "DATA"]) || at.eat(&["LOAD", "XML"]);
    at.eat_any(&["LOW_PRIORITY", "CONCURRENT"]);
    if loads && at.peek_keyword(&["LOCAL"]) {
        return unsupported(
            "LOAD DATA LOCAL is not supported: it would read a file of the client",
            "use INSERT, or LOAD DATA without LOCAL",
        );
    }
    if changes_completion_type(text) {
        return unsupported(
            "completion_type changes what COMMIT and ROLLBACK do after the transaction",
            "remove it, and begin each transaction with START TRANSACTION",
        );
    }
    check_functions(text)
}

fn unsupported(message: &str, hint: &str) -> Result<()> {
    Err(Error::new(ErrorKind::InvalidMigration, message).with_hint(hint))
}
