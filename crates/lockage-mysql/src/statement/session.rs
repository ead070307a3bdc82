//! Reads statements that change only the session: settings, user variables, prepared statements.

use super::cursor::{Cursor, literal_text, unquoted};
use super::effect::{Class, DdlEffect};

/// Returns the class of a `SET`. The cursor is after the keyword.
pub(super) fn class_of_set(at: &Cursor<'_>) -> Class {
    if at.peek_keyword(&["PASSWORD"]) || at.peek_keyword(&["DEFAULT", "ROLE"]) {
        return Class::Ddl(DdlEffect::Idempotent);
    }
    // Values of user variables are stored in the journal. Settings of system variables run again when a script is resumed.
    let only_user_variables = at.parts().iter().all(|part| match part.peek() {
        Some("@") => part
            .lookahead(1)
            .is_some_and(|name| name.starts_with(['`', '\'', '"'])),
        Some(first) => first.starts_with('@'),
        None => false,
    });
    if only_user_variables {
        Class::Data
    } else {
        Class::Session
    }
}

/// Returns the names of the user variables in a statement, without `@` and quotes, in lower case.
pub(crate) fn user_variables(text: &str) -> Vec<String> {
    if !text.contains('@') {
        return Vec::new();
    }
    let mut names: Vec<String> = Vec::new();
    let mut before = "";
    let mut tokens = lockage_sql::script::tokens(text, crate::dialect::DIALECT.syntax).peekable();
    while let Some(token) = tokens.next() {
        let name = match token.strip_prefix('@') {
            // `@@global.x` is a system variable, `'u'@'h'` and `u@h` are accounts.
            _ if before == "@" || is_account_name(before) => None,
            Some("") => match tokens.peek().copied() {
                Some(quoted) if quoted.starts_with('`') => unquoted(quoted),
                Some(quoted) => literal_text(quoted),
                None => None,
            },
            Some(name) => Some(name.to_owned()),
            None => None,
        };
        names.extend(name.map(|name| name.to_lowercase()));
        before = token;
    }
    names.sort();
    names.dedup();
    names
}

/// Returns whether a token can be the user name before the `@` of an account. Only quoted names are recognised: an unquoted word
/// before `@` can be the end of a clause.
fn is_account_name(token: &str) -> bool {
    token.starts_with(['`', '\'', '"'])
}

/// The effect of a `PREPARE` or `DEALLOCATE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Prepared {
    /// Prepares a statement of this name from this text.
    Text(String, String),
    /// Prepares a statement of this name from the text in this user variable.
    Variable(String, String),
    /// Removes the statement of this name.
    Deallocated(String),
}

/// Reads a `PREPARE`, a `DEALLOCATE PREPARE` or a `DROP PREPARE`.
pub(crate) fn prepared(text: &str) -> Option<Prepared> {
    let mut at = Cursor::new(text);
    if at.eat(&["DEALLOCATE", "PREPARE"]) || at.eat(&["DROP", "PREPARE"]) {
        return at.next().and_then(unquoted).map(Prepared::Deallocated);
    }
    if !at.eat(&["PREPARE"]) {
        return None;
    }
    let name = at.next().and_then(unquoted)?;
    if !at.eat(&["FROM"]) {
        return None;
    }
    match at.next()? {
        "@" => Some(Prepared::Variable(
            name,
            at.next()
                .and_then(|token| unquoted(token).or_else(|| literal_text(token)))?,
        )),
        token => match token.strip_prefix('@') {
            Some(variable) => Some(Prepared::Variable(name, variable.to_lowercase())),
            None => literal_text(token).map(|text| Prepared::Text(name, text)),
        },
    }
}
