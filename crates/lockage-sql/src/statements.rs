//! The statements of a migration's script, with their places.

use std::io;

use lockage_core::{Error, ErrorKind, Location, Migration, Result, ScriptReader};

use crate::connection::{CommandError, ErrorPosition};
use crate::script::{
    SplitError, SplitErrorKind, Splitter, Statement, Syntax, TransactionControl, leading_words,
    transaction_control,
};

/// Reads a script statement by statement and refuses what could never run.
pub(crate) struct Statements<'a> {
    migration: &'a Migration,
    syntax: &'static Syntax,
    splitter: Splitter<ScriptReader>,
    in_transaction: bool,
    /// A statement that is to run more often, and how often.
    again: Option<(Statement, u32)>,
}

impl<'a> Statements<'a> {
    /// Opens the script. In a transaction of ours, a script has no say over the transaction.
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
            again: None,
        })
    }

    fn check(&self, statement: Statement) -> Result<Statement> {
        match transaction_control(&statement.text, self.syntax) {
            Some(control) if self.in_transaction && control.crosses_boundary() => {
                let word = statement
                    .text
                    .split_whitespace()
                    .next()
                    .unwrap_or_default()
                    .to_uppercase();
                let word = word.trim_end_matches(';');
                Err(Error::new(
                    ErrorKind::InvalidMigration,
                    format!("{word} in a migration that runs in a transaction of its own"),
                )
                .with_location(locate(self.migration, &statement, None))
                .with_hint(match control {
                    TransactionControl::Prepare => {
                        "leave it out: what it detaches would take the history along"
                    }
                    _ => "leave it out, or put `-- lockage: no-transaction` at the head of the file",
                }))
            }
            Some(TransactionControl::Commit | TransactionControl::Rollback)
                if chains(&statement.text, self.syntax) =>
            {
                Err(Error::new(
                    ErrorKind::InvalidMigration,
                    "a transaction that begins with the end of another (AND CHAIN) cannot be followed",
                )
                .with_location(locate(self.migration, &statement, None))
                .with_hint("end the one and begin the other in two statements"))
            }
            _ => Ok(statement),
        }
    }
}

impl Iterator for Statements<'_> {
    type Item = Result<Statement>;

    /// A batch with a count (`GO 3`) comes as often as it says.
    fn next(&mut self) -> Option<Self::Item> {
        if let Some((statement, times)) = self.again.take() {
            if times > 1 {
                self.again = Some((statement.clone(), times - 1));
            }
            return Some(Ok(statement));
        }
        let next = self.splitter.next()?;
        let checked = next
            .map_err(|error| split_error(self.migration, error))
            .and_then(|statement| self.check(statement));
        if let Ok(statement) = &checked
            && statement.repeat > 1
        {
            self.again = Some((statement.clone(), statement.repeat - 1));
        }
        Some(checked)
    }
}

/// Whether a COMMIT or ROLLBACK says `AND CHAIN`.
fn chains(text: &str, syntax: &Syntax) -> bool {
    let words = leading_words(text, syntax, 4);
    words.iter().any(|word| word == "CHAIN") && !words.iter().any(|word| word == "NO")
}

fn split_error(migration: &Migration, error: SplitError) -> Error {
    let message = error.to_string();
    let location = match error.kind {
        SplitErrorKind::Io(_) => Location::file(migration.file()),
        _ => Location::at(migration.file(), error.line, error.column),
    };
    let made = Error::new(ErrorKind::InvalidMigration, message).with_location(location);
    match error.kind {
        SplitErrorKind::Io(source) => made.with_source(io::Error::other(source)),
        _ => made,
    }
}

/// The place of a failure, or of a whole statement, in its file.
pub(crate) fn locate(
    migration: &Migration,
    statement: &Statement,
    place: Option<ErrorPosition>,
) -> Location {
    let text = statement.text.as_str();
    let start = match place {
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
    // What stands before the statement in its first line is not at hand; blanks keep the caret in its column.
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

/// Puts a failed statement's place into its error.
pub(crate) fn explain(migration: &Migration, statement: &Statement, failure: CommandError) -> Error {
    failure
        .error
        .with_location(locate(migration, statement, failure.place))
}

/// Reads a script as an engine of this syntax will; the `inspect` of a [`Backend`](lockage_core::Backend).
///
/// # Errors
/// [`ErrorKind::InvalidMigration`] with the place of the mistake.
pub fn check_script(
    syntax: &'static Syntax,
    transactional_ddl: bool,
    migration: &Migration,
    each: &mut dyn FnMut(lockage_core::ParsedStatement<'_>),
) -> Result<()> {
    let mut seen = None;
    for statement in Statements::open(
        migration,
        syntax,
        transactional_ddl && migration.directives().transaction,
    )? {
        let statement = statement?;
        if seen.replace(statement.offset) == Some(statement.offset) {
            // The same once more.
            continue;
        }
        each(lockage_core::ParsedStatement {
            text: &statement.text,
            line: statement.line,
        });
    }
    Ok(())
}
