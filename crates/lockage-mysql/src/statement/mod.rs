//! Determines from a statement's keywords what it does to its transaction and to the schema.

mod alter;
mod cursor;
mod ddl;
mod effect;
mod session;
mod session_change;
mod transaction_setting;
mod unsupported;
mod unsupported_functions;

pub(crate) use alter::{Clause, Part, verifiable};
pub(crate) use cursor::Name;
pub(crate) use effect::{Change, Class, DdlEffect, Object, ObjectChange};
pub(crate) use session::{Prepared, prepared, user_variables};
pub(crate) use session_change::{changes_session, mentions_last_insert_id, session_effects};
pub(crate) use transaction_setting::{autocommit_setting, is_query_or_setting};
pub(crate) use unsupported::check_supported;

use cursor::Cursor;

/// Returns the class of a statement.
///
/// An unknown statement is [`Class::Data`]. If it commits by itself after all, its journal row, which is written before it, records that
/// it was started.
pub(crate) fn classify(text: &str) -> Class {
    class(text, Cursor::new(text))
}

/// Returns the text that an `EXECUTE IMMEDIATE` runs; `None` if it is not a literal, or for another statement.
pub(crate) fn immediate_text(text: &str) -> Option<String> {
    let mut at = Cursor::new(text);
    if !at.eat(&["EXECUTE", "IMMEDIATE"]) {
        return None;
    }
    let literal = at.next().and_then(cursor::literal_text)?;
    (at.peek().is_none() || at.peek_keyword(&["USING"])).then_some(literal)
}

/// Returns the first word of a statement, in upper case.
pub(crate) fn first_word(text: &str) -> String {
    let mut words = lockage_sql::script::leading_words(text, crate::dialect::DIALECT.syntax, 1);
    words.pop().unwrap_or_default()
}

fn class(text: &str, mut at: Cursor<'_>) -> Class {
    let Some(first) = at.peek() else {
        return Class::Data;
    };
    match first.to_ascii_uppercase().as_str() {
        "USE" => Class::Session,
        "SET" => {
            at.next();
            if at.eat(&["STATEMENT"]) {
                return if at.skip_past("FOR") {
                    class(text, at)
                } else {
                    Class::Data
                };
            }
            session::class_of_set(&at)
        }
        "EXECUTE" => {
            at.next();
            if at.eat(&["IMMEDIATE"]) {
                return immediate_text(text).map_or(Class::Data, |text| classify(&text));
            }
            at.next()
                .and_then(cursor::unquoted)
                .map_or(Class::Data, Class::Execute)
        }
        _ => ddl::ddl_effect(at).map_or(Class::Data, Class::Ddl),
    }
}

/// Returns all names in a statement, in lower case.
pub(crate) fn mentioned_names(text: &str) -> impl Iterator<Item = String> {
    let tokens: Vec<String> = lockage_sql::script::tokens(text, crate::dialect::DIALECT.syntax)
        .filter_map(cursor::unquoted)
        .map(|name| name.to_lowercase())
        .collect();
    tokens.into_iter()
}

#[cfg(test)]
mod tests;
