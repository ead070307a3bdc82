//! Checks a whole script: transactions that `SET autocommit = 0` would begin implicitly.

use lockage_core::{Error, ErrorKind, Location, Migration, Result};
use lockage_sql::script::{Splitter, TransactionControl, transaction_control};

use crate::dialect::DIALECT;
use crate::statement::{Class, autocommit_setting, classify, is_query_or_setting};

/// Checks that a script does not depend on a transaction that the server begins by itself.
///
/// Lockage commits each statement together with its journal row. With `autocommit = 0`, the server would begin a transaction at the
/// first statement, and keep it open until a COMMIT. A script that only commits has the same effect either way. One that rolls back, sets
/// a savepoint or leaves the transaction open has not.
///
/// # Errors
/// [`ErrorKind::InvalidMigration`] with the position of the statement.
pub(crate) fn check_implicit_transactions(migration: &Migration) -> Result<()> {
    let Ok(reader) = migration.open() else {
        // Reported when the script is read.
        return Ok(());
    };
    let mut autocommit = true;
    let mut explicit = false;
    // The line and text of the last statement in an implicit transaction.
    let mut implicit: Option<(u32, String)> = None;
    for statement in Splitter::new(reader, DIALECT.syntax).map_while(|statement| statement.ok()) {
        let (text, line) = (&statement.text, statement.line);
        if let Some(enabled) = autocommit_setting(text) {
            if enabled {
                implicit = None;
            }
            autocommit = enabled;
            continue;
        }
        let control = transaction_control(text, DIALECT.syntax);
        let problem = match control {
            Some(TransactionControl::Begin) => {
                (explicit, implicit) = (true, None);
                None
            }
            Some(TransactionControl::Commit) => {
                (explicit, implicit) = (false, None);
                None
            }
            Some(_) if explicit || autocommit => {
                explicit &= control != Some(TransactionControl::Rollback);
                None
            }
            Some(TransactionControl::Rollback) => Some("ROLLBACK"),
            Some(_) => Some("a savepoint"),
            None => {
                if matches!(classify(text), Class::Ddl(_)) {
                    (explicit, implicit) = (false, None);
                } else if !autocommit && !explicit && !is_query_or_setting(text) {
                    implicit = Some((line, text.clone()));
                }
                None
            }
        };
        if let Some(problem) = problem {
            let message = format!("{problem} in a transaction that only `autocommit = 0` begins");
            return Err(implicit_error(migration, message, line, text));
        }
    }
    match implicit {
        Some((line, text)) => {
            let message =
                "the script leaves a transaction open that `autocommit = 0` began".to_owned();
            Err(implicit_error(migration, message, line, &text))
        }
        None => Ok(()),
    }
}

fn implicit_error(migration: &Migration, message: String, line: u32, text: &str) -> Error {
    let first_line = text.lines().next().unwrap_or_default();
    Error::new(ErrorKind::InvalidMigration, message)
        .with_location(Location::at(migration.file(), line, 1).with_line_text(first_line))
        .with_hint("begin the transaction with START TRANSACTION and end it with COMMIT or ROLLBACK, and remove `autocommit = 0`")
}
