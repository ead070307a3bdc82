//! What a statement does to the transaction around it and to the schema, by its words.

mod alter;
mod cursor;
mod ddl;
mod refused;
mod session;

pub(crate) use alter::{Clause, Part, telling};
pub(crate) use cursor::Name;
pub(crate) use ddl::{Becomes, Change, Deed, Object};
pub(crate) use refused::refuse;
pub(crate) use session::{Prepared, prepared, user_variables};

use cursor::Cursor;

/// What kind of statement it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Class {
    /// It sets something for the session, which is not kept and may be set again.
    Session,
    /// It can share a transaction with other statements.
    Data,
    /// It runs the statement that was prepared under this name.
    Execute(String),
    /// It commits by itself.
    Ddl(Deed),
}

/// Finds out what kind of statement it is. What is not known is taken for data: should it commit by itself after all, the journal's row
/// in front of it tells.
pub(crate) fn classify(text: &str) -> Class {
    class(Cursor::new(text))
}

fn class(mut at: Cursor<'_>) -> Class {
    let Some(first) = at.peek() else {
        return Class::Data;
    };
    match first.to_ascii_uppercase().as_str() {
        "USE" => Class::Session,
        "SET" => {
            at.next();
            if at.takes(&["STATEMENT"]) {
                return if at.skip_behind("FOR") {
                    class(at)
                } else {
                    Class::Data
                };
            }
            session::class_of_set(&at)
        }
        "EXECUTE" => {
            at.next();
            if at.takes(&["IMMEDIATE"]) {
                let text = at.next().and_then(cursor::literal_text);
                return text.map_or(Class::Data, |text| classify(&text));
            }
            at.next()
                .and_then(cursor::unquoted)
                .map_or(Class::Data, Class::Execute)
        }
        _ => ddl::deed(at).map_or(Class::Data, Class::Ddl),
    }
}

/// The names, in lower case, of whatever a statement mentions.
pub(crate) fn mentions(text: &str) -> impl Iterator<Item = String> {
    let tokens: Vec<String> = lockage_sql::script::tokens(text, crate::dialect::DIALECT.syntax)
        .filter_map(cursor::unquoted)
        .map(|name| name.to_lowercase())
        .collect();
    tokens.into_iter()
}

#[cfg(test)]
mod tests;
