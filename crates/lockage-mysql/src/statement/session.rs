//! Statements that only the session feels, and what they leave in it.

use super::Class;
use super::cursor::{Cursor, literal_text, unquoted};

/// The class of a `SET`, which has been taken off.
pub(super) fn class_of_set(at: &Cursor<'_>) -> Class {
    if at.sees(&["PASSWORD"]) || at.sees(&["DEFAULT", "ROLE"]) {
        return Class::Ddl(super::Deed::Repeatable);
    }
    // What user variables get is kept in the journal; what system variables get is set again.
    let only_ours = at.parts().iter().all(|part| match part.peek() {
        Some("@") => part
            .ahead(1)
            .is_some_and(|name| name.starts_with(['`', '\'', '"'])),
        Some(first) => first.starts_with('@'),
        None => false,
    });
    if only_ours {
        Class::Data
    } else {
        Class::Session
    }
}

/// The names of the user variables in a text, as they stand behind the `@`, in lower case and without quotes.
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
            _ if before == "@" || is_name(before) => None,
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

/// Whether a token can be the user's name in front of the `@` of an account. Of words only what no clause ends with counts.
fn is_name(token: &str) -> bool {
    token.starts_with(['`', '\'', '"'])
}

/// What a `PREPARE` or `DEALLOCATE` does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Prepared {
    /// From a text.
    Text(String, String),
    /// From a user variable.
    Variable(String, String),
    /// No more.
    Forgotten(String),
}

/// Reads a `PREPARE`, a `DEALLOCATE PREPARE` or a `DROP PREPARE`.
pub(crate) fn prepared(text: &str) -> Option<Prepared> {
    let mut at = Cursor::new(text);
    if at.takes(&["DEALLOCATE", "PREPARE"]) || at.takes(&["DROP", "PREPARE"]) {
        return at.next().and_then(unquoted).map(Prepared::Forgotten);
    }
    if !at.takes(&["PREPARE"]) {
        return None;
    }
    let name = at.next().and_then(unquoted)?;
    if !at.takes(&["FROM"]) {
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
