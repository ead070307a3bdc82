//! Checks whether a script can be resumed in another session than the one that ran its committed statements.

use std::collections::BTreeMap;

use lockage_core::{Error, ErrorKind, Migration, Result};

use crate::recovery::SessionEffect;
use crate::script::{Savepoints, ScriptStatement, Syntax, TransactionControl, tokens};
use crate::session::{SqlConnection, SqlSession};
use crate::statement_reader::{StatementReader, location};
use crate::tables::journal::JournalRow;

impl<C: SqlConnection> SqlSession<C> {
    /// Checks that no statement that is still to run depends on something that a committed statement left in its session.
    ///
    /// # Errors
    /// [`ErrorKind::Diverged`] with the location of the committed statement. Nothing has run.
    pub(super) fn check_session_effects(
        &self,
        migration: &Migration,
        journal: &BTreeMap<u32, JournalRow>,
    ) -> Result<()> {
        let is_done = |index: &u32| journal.get(index).is_some_and(|row| row.done);
        let Some(last_done) = journal.keys().copied().filter(is_done).max() else {
            return Ok(());
        };
        let syntax = self.connection.dialect().syntax;
        let (mut savepoints, mut in_transaction) = (Savepoints::default(), false);
        let mut effects: Vec<(u32, ScriptStatement, SessionEffect)> = Vec::new();
        for (index, statement) in (0..).zip(StatementReader::open(migration, syntax, false)?) {
            let statement = statement?;
            let control = savepoints.control(&statement.text, syntax, in_transaction);
            savepoints.record(&statement.text, syntax, in_transaction);
            if let Some(control) = control.filter(|control| control.crosses_boundary()) {
                in_transaction = control == TransactionControl::Begin;
            }
            if is_done(&index) {
                for effect in self.connection.session_effects(&statement.text) {
                    effects.push((index, statement.clone(), effect));
                }
                continue;
            }
            let words = names(&statement.text, syntax);
            let lost = effects
                .iter()
                .find(|(_, _, effect)| depends(&words, effect));
            if let Some((made_by, committed, effect)) = lost {
                let (first, second) = (made_by + 1, index + 1);
                return Err(lost_session_error(migration, effect, first, second)
                    .with_location(location(migration, committed, None)));
            }
            // A statement that only changes the session has no row. It runs again, but that does not restore all that it left:
            // the content of an attached database in memory, for example.
            if index < last_done && !in_transaction {
                for effect in self.connection.session_effects(&statement.text) {
                    effects.push((index, statement.clone(), effect));
                }
            }
        }
        Ok(())
    }
}

fn depends(words: &[String], effect: &SessionEffect) -> bool {
    match &effect.used_by {
        Some(used_by) => used_by.iter().any(|word| words.contains(word)),
        None => true,
    }
}

/// Returns the words and quoted names of a statement, in upper case and without quotes, with those in a body between dollar signs.
fn names(text: &str, syntax: &'static Syntax) -> Vec<String> {
    let name = |token: &str| {
        token
            .trim_matches(|quote| matches!(quote, '"' | '`' | '[' | ']'))
            .to_uppercase()
    };
    let mut names = Vec::new();
    for token in tokens(text, syntax) {
        if token.starts_with('$') {
            let is_separator = |c: char| !c.is_alphanumeric() && c != '_';
            names.extend(token.split(is_separator).map(name));
        }
        names.push(name(token));
    }
    names
}

fn lost_session_error(
    migration: &Migration,
    effect: &SessionEffect,
    committed: u32,
    dependent: u32,
) -> Error {
    Error::new(
        ErrorKind::Diverged,
        format!(
            "cannot resume {migration}: statement {dependent} depends on {}, which statement {committed} left in a session that has ended",
            effect.description
        ),
    )
    .with_hint(
        "undo by hand what the committed statements did, then run `lockage repair`, so that the migration starts again with its first \
         statement",
    )
}
