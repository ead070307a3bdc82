//! Refuses functions that would describe the last statement of Lockage in place of the script's.

use lockage_core::{Error, ErrorKind, Location, Migration, Result};
use lockage_sql::script::{
    SQLITE, Savepoints, Splitter, TransactionControl, leading_words, tokens,
};

use crate::pragma::unquoted;

/// The functions that describe the last statement of a connection.
const FUNCTIONS: [&str; 3] = ["last_insert_rowid", "changes", "total_changes"];

/// Checks a script without a transaction. Between its statements, Lockage writes journal rows with the same connection.
///
/// `last_insert_rowid()` needs an INSERT before it in the same transaction of the script, `changes()` any statement that writes.
/// `total_changes()` counts from the start of the connection, so it always counts the journal.
///
/// A script that cannot be split is not reported here.
pub(crate) fn check(migration: &Migration) -> Result<()> {
    let mut transaction = ScriptTransaction::default();
    for statement in Splitter::new(migration.open()?, &SQLITE) {
        let Ok(statement) = statement else { break };
        let text = &*statement.text;
        if let Some(function) = called_functions(text).find(|f| !transaction.allows(f)) {
            let first_line = text.lines().next().unwrap_or_default();
            let location = Location::at(migration.file(), statement.line, 1);
            return Err(error(function).with_location(location.with_line_text(first_line)));
        }
        transaction.record(text);
    }
    Ok(())
}

/// The transaction that a script began.
#[derive(Debug, Default)]
struct ScriptTransaction {
    savepoints: Savepoints,
    is_open: bool,
    /// Whether it contains an INSERT so far.
    has_insert: bool,
    /// Whether it contains a statement that writes rows so far.
    has_write: bool,
}

impl ScriptTransaction {
    fn allows(&self, function: &str) -> bool {
        match function {
            "last_insert_rowid" => self.is_open && self.has_insert,
            "changes" => self.is_open && self.has_write,
            _ => false,
        }
    }

    fn record(&mut self, text: &str) {
        let control = self.savepoints.control(text, &SQLITE, self.is_open);
        self.savepoints.record(text, &SQLITE, self.is_open);
        match control {
            Some(TransactionControl::Begin) => {
                (self.is_open, self.has_insert, self.has_write) = (true, false, false);
            }
            Some(control) if control.crosses_boundary() => self.is_open = false,
            _ => {}
        }
        match written_by(text).as_deref() {
            Some("INSERT" | "REPLACE") => (self.has_insert, self.has_write) = (true, true),
            Some(_) => self.has_write = true,
            None => {}
        }
    }
}

/// Returns the word of a statement that writes rows: INSERT, REPLACE, UPDATE or DELETE.
fn written_by(text: &str) -> Option<String> {
    let is_write = |word: &str| matches!(word, "INSERT" | "REPLACE" | "UPDATE" | "DELETE");
    let first = leading_words(text, &SQLITE, 1).pop()?;
    if first == "WITH" {
        return tokens(text, &SQLITE)
            .map(str::to_ascii_uppercase)
            .find(|word| is_write(word));
    }
    is_write(&first).then_some(first)
}

/// Returns the functions that a statement calls when it runs. The body of a trigger and the query of a view run later.
fn called_functions(text: &str) -> impl Iterator<Item = &'static str> {
    let mut words = leading_words(text, &SQLITE, 3).into_iter();
    let is_definition = words.next().is_some_and(|word| word == "CREATE")
        && words.any(|word| word == "TRIGGER" || word == "VIEW");
    let text = if is_definition { "" } else { text };
    // Column lists are never empty: `INSERT INTO changes (n)` is no call.
    let (mut before, mut previous) = ("", "");
    tokens(text, &SQLITE).filter_map(move |token| {
        let name = std::mem::replace(&mut before, std::mem::replace(&mut previous, token));
        let is_call = before == "(" && matches!(token, ")" | "*");
        let name = unquoted(name);
        let function = FUNCTIONS
            .into_iter()
            .find(|function| name.eq_ignore_ascii_case(function));
        function.filter(|_| is_call)
    })
}

fn error(function: &str) -> Error {
    let message = format!(
        "{function}() would describe a journal row of Lockage, not a statement of this script, because the file has no transaction"
    );
    let hint = match function {
        "total_changes" => {
            "remove `-- lockage: no-transaction`: in a transaction, the function counts only the script's changes"
        }
        "changes" => {
            "put the statement and the one that it describes between BEGIN and COMMIT, or remove `-- lockage: no-transaction`"
        }
        _ => {
            "put the statement and the INSERT that it describes between BEGIN and COMMIT, or remove `-- lockage: no-transaction`"
        }
    };
    Error::new(ErrorKind::InvalidMigration, message).with_hint(hint)
}
