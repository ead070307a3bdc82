//! Rejects statements that have an effect only in a transaction block, and are outside one.

use lockage_core::{Error, ErrorKind, Location, Migration, Result};
use lockage_sql::script::{Splitter, TransactionControl, transaction_control};

use crate::dialect::DIALECT;
use crate::statement_mode::leading_keywords;

/// Checks a script without a transaction.
///
/// The server rejects or ignores such a statement outside a block. Lockage runs it in a transaction with its journal row, where it
/// would succeed without any effect on the next statement.
///
/// # Errors
/// [`ErrorKind::InvalidMigration`] with the location of the statement.
pub(crate) fn check_migration(migration: &Migration) -> Result<()> {
    if migration.directives().transaction {
        return Ok(());
    }
    let mut in_block = false;
    // A script that cannot be split is reported by the caller.
    for statement in Splitter::new(migration.open()?, DIALECT.syntax).map_while(|read| read.ok()) {
        if let Some(control) = transaction_control(&statement.text, DIALECT.syntax)
            && control.crosses_boundary()
        {
            in_block = control == TransactionControl::Begin;
        }
        if in_block {
            continue;
        }
        if let Some(statement_name) = needs_block(&leading_keywords(&statement.text)) {
            let first_line = statement.text.lines().next().unwrap_or_default();
            let location = Location::at(migration.file(), statement.line, statement.column);
            return Err(Error::new(
                ErrorKind::InvalidMigration,
                format!("{statement_name} has no effect outside a transaction block"),
            )
            .with_location(location.with_line_text(first_line))
            .with_hint(
                "put BEGIN before it and COMMIT after the statements that need it, or remove `-- lockage: no-transaction`",
            ));
        }
    }
    Ok(())
}

/// Returns the name of a statement that has an effect only in a transaction block.
fn needs_block(words: &[String]) -> Option<&'static str> {
    match words.first()?.as_str() {
        "LOCK" => Some("LOCK TABLE"),
        "SET" => match words.get(1)?.as_str() {
            "LOCAL" => Some("SET LOCAL"),
            "TRANSACTION" => Some("SET TRANSACTION"),
            "CONSTRAINTS" => Some("SET CONSTRAINTS"),
            _ => None,
        },
        "DECLARE" if !has_hold(words) => Some("DECLARE CURSOR without WITH HOLD"),
        _ => None,
    }
}

fn has_hold(words: &[String]) -> bool {
    words
        .windows(2)
        .any(|pair| pair[0] == "WITH" && pair[1] == "HOLD")
}
