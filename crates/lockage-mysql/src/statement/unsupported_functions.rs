//! Functions that report on the last statement of the session, which can be one of Lockage.

use lockage_core::{Error, ErrorKind, Result};

use super::cursor::{Cursor, literal_text};
use super::session::{Prepared, prepared};

/// Functions whose value the journal's statements change.
const FUNCTIONS: &[&str] = &["ROW_COUNT", "FOUND_ROWS"];

/// System variables whose value the journal's statements change.
const VARIABLES: &[&str] = &["WARNING_COUNT", "ERROR_COUNT"];

/// Checks that a statement outside a routine does not ask for the result of the statement before it.
///
/// # Errors
/// [`ErrorKind::InvalidMigration`], without a location.
pub(super) fn check_functions(text: &str) -> Result<()> {
    if let Some(inner) = dynamic_text(text) {
        return check_functions(&inner);
    }
    let at = Cursor::new(text);
    if has_body(&at) {
        return Ok(());
    }
    let tokens = at.remaining();
    for (index, token) in tokens.iter().enumerate() {
        let is =
            |names: &[&str], word: &str| names.iter().any(|name| word.eq_ignore_ascii_case(name));
        let name = token.trim_matches('`');
        let is_call = is(FUNCTIONS, name) && tokens.get(index + 1) == Some(&"(");
        let is_variable = is(VARIABLES, name.trim_start_matches('@'))
            && tokens[..index]
                .iter()
                .rev()
                .take(3)
                .any(|token| *token == "@");
        if is_call || is_variable {
            return Err(last_statement_error(
                &name.trim_start_matches('@').to_lowercase(),
            ));
        }
    }
    if at.peek_keyword(&["GET"]) && at.contains("DIAGNOSTICS") {
        return Err(last_statement_error("GET DIAGNOSTICS"));
    }
    Ok(())
}

/// Returns whether a statement contains statements that the server runs itself, one after the other.
fn has_body(at: &Cursor<'_>) -> bool {
    if at.peek_keyword(&["BEGIN", "NOT"]) {
        return true;
    }
    let defines = at.peek_keyword(&["CREATE"]) || at.peek_keyword(&["ALTER"]);
    defines
        && ["PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "PACKAGE"]
            .iter()
            .any(|kind| at.contains(kind))
}

/// Returns the text of a statement that is prepared or executed from a literal.
fn dynamic_text(text: &str) -> Option<String> {
    if let Some(Prepared::Text(_, text)) = prepared(text) {
        return Some(text);
    }
    let mut at = Cursor::new(text);
    if !at.eat(&["EXECUTE", "IMMEDIATE"]) {
        return None;
    }
    at.next().and_then(literal_text)
}

fn last_statement_error(name: &str) -> Error {
    Error::new(
        ErrorKind::InvalidMigration,
        format!(
            "`{name}` would report on a statement of Lockage: the journal is written between two statements of a script"
        ),
    )
    .with_hint(
        "compute the value with a query, such as SELECT COUNT(*), or put both statements into a procedure, or on MariaDB into \
         BEGIN NOT ATOMIC … END",
    )
}
