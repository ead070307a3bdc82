//! `COPY … FROM STDIN`, whose data follows the statement.

use super::syntax::Syntax;
use super::words::Words;

/// Whether a statement is a `COPY … FROM STDIN`.
///
/// In a script for `psql` its data follows, up to a line `\.`; that is not SQL, and the splitter's iterator refuses it.
#[must_use]
pub fn copies_from_stdin(text: &str, syntax: &Syntax) -> bool {
    if !syntax.copy_data {
        return false;
    }
    let mut words = Words::new(text, syntax);
    if !words.next().is_some_and(|word| word.is("COPY")) {
        return false;
    }
    let mut behind_from = false;
    for word in words {
        if behind_from && (word.is("STDIN") || word.is("STDOUT")) {
            return true;
        }
        behind_from = word.is("FROM");
    }
    false
}
