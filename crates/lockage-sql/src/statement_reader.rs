//! Reads the statements of a migration's script, with their positions in the file.

use std::io;

use lockage_core::{Error, ErrorKind, Location, Migration, Result, ScriptReader};

use crate::command::{CommandError, ErrorPosition};
use crate::script::{
    ScriptStatement, SplitError, SplitErrorKind, Splitter, Syntax, TransactionControl,
    leading_words, transaction_control,
};

/// Reads a script statement by statement and rejects statements that Lockage cannot run.
pub(crate) struct StatementReader<'a> {
    migration: &'a Migration,
    syntax: &'static Syntax,
    splitter: Splitter<ScriptReader>,
    in_transaction: bool,
    /// A batch that runs more than once, and how many executions remain.
    repeat: Option<(ScriptStatement, u32)>,
}

impl<'a> StatementReader<'a> {
    /// Opens the script. With `in_transaction`, Lockage begins and ends the transaction, and the script must not.
    pub(crate) fn open(
        migration: &'a Migration,
        syntax: &'static Syntax,
        in_transaction: bool,
    ) -> Result<Self> {
        Ok(Self {
            migration,
            syntax,
            splitter: Splitter::new(migration.open()?, syntax),
            in_transaction,
            repeat: None,
        })
    }

    fn check_statement(&self, statement: ScriptStatement) -> Result<ScriptStatement> {
        match transaction_control(&statement.text, self.syntax) {
            Some(control) if self.in_transaction && control.crosses_boundary() => {
                Err(self.not_in_transaction_error(&statement, control))
            }
            Some(TransactionControl::Commit | TransactionControl::Rollback)
                if has_and_chain(&statement.text, self.syntax) =>
            {
                Err(Error::new(
                    ErrorKind::InvalidMigration,
                    "COMMIT/ROLLBACK AND CHAIN is not supported",
                )
                .with_location(location(self.migration, &statement, None))
                .with_hint("end one transaction and begin the next in two statements"))
            }
            _ => Ok(statement),
        }
    }

    fn not_in_transaction_error(
        &self,
        statement: &ScriptStatement,
        control: TransactionControl,
    ) -> Error {
        let word = statement.text.split_whitespace().next().unwrap_or_default();
        let word = word.to_uppercase();
        let word = word.trim_end_matches(';');
        let hint = match control {
            TransactionControl::Prepare => {
                "remove it: the history row would be part of the prepared transaction"
            }
            _ => "remove it, or put `-- lockage: no-transaction` at the head of the file",
        };
        Error::new(
            ErrorKind::InvalidMigration,
            format!("{word} is not allowed in a migration that Lockage runs in a transaction"),
        )
        .with_location(location(self.migration, statement, None))
        .with_hint(hint)
    }
}

impl Iterator for StatementReader<'_> {
    type Item = Result<ScriptStatement>;

    /// Returns a batch with a count (`GO 3`) as often as it runs.
    fn next(&mut self) -> Option<Self::Item> {
        if let Some((statement, remaining)) = self.repeat.take() {
            if remaining > 1 {
                self.repeat = Some((statement.clone(), remaining - 1));
            }
            return Some(Ok(statement));
        }
        let next = self.splitter.next()?;
        let checked = next
            .map_err(|error| split_error(self.migration, error))
            .and_then(|statement| self.check_statement(statement));
        if let Ok(statement) = &checked
            && statement.repeat > 1
        {
            self.repeat = Some((statement.clone(), statement.repeat - 1));
        }
        Some(checked)
    }
}

/// Reads the file of a migration to its end without splitting it.
///
/// # Errors
/// [`ErrorKind::InvalidMigration`] if the file changed since it was loaded, or cannot be read.
pub(crate) fn check_unchanged(migration: &Migration) -> Result<()> {
    let mut script = migration.open()?;
    match io::copy(&mut script, &mut io::sink()) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::new(
            ErrorKind::InvalidMigration,
            format!("cannot read the script: {error}"),
        )
        .with_location(Location::file(migration.file()))
        .with_source(error)),
    }
}

/// Reads a script to its end and counts its statements.
pub(crate) fn count_statements(statements: StatementReader<'_>) -> Result<u32> {
    let mut total = 0;
    for statement in statements {
        statement?;
        total += 1;
    }
    Ok(total)
}

/// Returns whether a COMMIT or ROLLBACK has `AND CHAIN`.
fn has_and_chain(text: &str, syntax: &Syntax) -> bool {
    let words = leading_words(text, syntax, 4);
    words.iter().any(|word| word == "CHAIN") && !words.iter().any(|word| word == "NO")
}

fn split_error(migration: &Migration, error: SplitError) -> Error {
    let message = error.to_string();
    let location = match error.kind {
        SplitErrorKind::Io(_) => Location::file(migration.file()),
        _ => Location::at(migration.file(), error.line, error.column),
    };
    let invalid = Error::new(ErrorKind::InvalidMigration, message).with_location(location);
    match error.kind {
        SplitErrorKind::Io(source) => invalid.with_source(io::Error::other(source)),
        _ => invalid,
    }
}

/// Returns the location of a position inside a statement, or of the statement itself.
pub(crate) fn location(
    migration: &Migration,
    statement: &ScriptStatement,
    position: Option<ErrorPosition>,
) -> Location {
    let text = statement.text.as_str();
    let start = match position {
        None => 0,
        Some(ErrorPosition::Byte(byte)) => text.floor_char_boundary(byte),
        Some(ErrorPosition::Line(line)) => text
            .split_inclusive('\n')
            .take(line.saturating_sub(1) as usize)
            .map(str::len)
            .sum::<usize>()
            .min(text.len()),
    };
    let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let lines_before = text[..start].bytes().filter(|byte| *byte == b'\n').count() as u32;
    // The text before the statement in its first line is no longer in memory. Blanks keep the caret in its column.
    let indent = if lines_before == 0 {
        statement.column.saturating_sub(1)
    } else {
        0
    };
    let line = text[line_start..].lines().next().unwrap_or_default();
    let line = format!("{}{line}", " ".repeat(indent as usize));
    let column = indent + text[line_start..start].chars().count() as u32 + 1;
    Location::at(migration.file(), statement.line + lines_before, column).with_line_text(line)
}

/// Adds the location of the failure to the error of a statement.
pub(crate) fn locate_failure(
    migration: &Migration,
    statement: &ScriptStatement,
    failure: CommandError,
) -> Error {
    failure
        .error
        .with_location(location(migration, statement, failure.position))
}
