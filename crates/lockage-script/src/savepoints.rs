//! Follows the savepoints of a script, for engines on which the outermost one is a transaction.

use crate::syntax::Syntax;
use crate::transaction_control::transaction_control;
use crate::transaction_phrase::TransactionControl;
use crate::words::tokens;

/// The open savepoints of a transaction, where [`Syntax::savepoint_begins`] is set. On other engines it is always empty.
///
/// SQLite: the outermost `SAVEPOINT` begins a transaction like `BEGIN DEFERRED`, and its `RELEASE` is a `COMMIT`
/// (<https://www.sqlite.org/lang_savepoint.html>).
///
/// ```
/// use lockage_script::{SQLITE, Savepoints, TransactionControl};
///
/// let mut savepoints = Savepoints::default();
/// assert_eq!(savepoints.control("SAVEPOINT a", &SQLITE, false), Some(TransactionControl::Begin));
/// savepoints.record("SAVEPOINT a", &SQLITE, false);
/// assert_eq!(savepoints.control("RELEASE a", &SQLITE, true), Some(TransactionControl::Commit));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Savepoints {
    /// Names, from the outermost to the innermost.
    names: Vec<String>,
    /// Whether the outermost one began the transaction.
    outermost_begins: bool,
}

impl Savepoints {
    /// Returns the effect of a statement on the transaction around it, as [`transaction_control`] does, except that the outermost
    /// savepoint is a [`Begin`](TransactionControl::Begin) and its release a [`Commit`](TransactionControl::Commit).
    #[must_use]
    pub fn control(
        &self,
        text: &str,
        syntax: &'static Syntax,
        in_transaction: bool,
    ) -> Option<TransactionControl> {
        let control = transaction_control(text, syntax)?;
        Some(match control {
            TransactionControl::Savepoint if syntax.savepoint_begins && !in_transaction => {
                TransactionControl::Begin
            }
            TransactionControl::ReleaseSavepoint
                if self.outermost_begins && self.position(text, syntax) == Some(0) =>
            {
                TransactionControl::Commit
            }
            control => control,
        })
    }

    /// Records that a statement has run. `in_transaction` is whether a transaction was open before it.
    pub fn record(&mut self, text: &str, syntax: &'static Syntax, in_transaction: bool) {
        if !syntax.savepoint_begins {
            return;
        }
        if !in_transaction {
            *self = Self::default();
        }
        match transaction_control(text, syntax) {
            Some(TransactionControl::Savepoint) => {
                if self.names.is_empty() {
                    self.outermost_begins = !in_transaction;
                }
                self.names.push(savepoint_name(text, syntax));
            }
            Some(TransactionControl::ReleaseSavepoint) => {
                let position = self.position(text, syntax).unwrap_or(self.names.len());
                self.names.truncate(position);
            }
            Some(TransactionControl::RollbackToSavepoint) => {
                let position = self.position(text, syntax);
                self.names
                    .truncate(position.map_or(self.names.len(), |position| position + 1));
            }
            Some(control) if control.crosses_boundary() => *self = Self::default(),
            _ => {}
        }
        if self.names.is_empty() {
            self.outermost_begins = false;
        }
    }

    /// Returns the position of the innermost savepoint with the name that a statement contains.
    fn position(&self, text: &str, syntax: &'static Syntax) -> Option<usize> {
        let name = savepoint_name(text, syntax);
        self.names.iter().rposition(|open| *open == name)
    }
}

/// Returns the last token of a statement, which is the name of the savepoint, in lower case and without quotes.
fn savepoint_name(text: &str, syntax: &'static Syntax) -> String {
    let is_end = |token: &&str| *token != ";";
    let name = tokens(text, syntax)
        .filter(is_end)
        .last()
        .unwrap_or_default();
    name.trim_matches(|quote| matches!(quote, '"' | '\'' | '`' | '[' | ']'))
        .to_ascii_lowercase()
}
