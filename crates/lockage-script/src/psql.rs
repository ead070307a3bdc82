//! What scripts for `psql` hold that is not SQL: its own commands, and the data behind `COPY … FROM STDIN`.

use std::io::Read;

use super::cursor::Scan;
use super::error::{SplitError, SplitErrorKind};
use super::lexer::Lexer;
use super::syntax::Syntax;
use super::words::Words;

impl<R: Read> Lexer<'_, R> {
    /// The error for a command of `psql`, whose backslash is the current token.
    pub(super) fn psql_command(&mut self) -> Scan<Box<SplitError>> {
        self.cursor
            .seek(false, |window| memchr::memchr(b'\n', window))?;
        let line = self.cursor.text(self.start, self.cursor.here())?;
        let found = line
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned();
        let place = self.cursor.position(self.start);
        Ok(place.error(SplitErrorKind::PsqlCommand { found }))
    }
}

/// Whether a statement is a `COPY … FROM STDIN`.
///
/// In a script for `psql` its data follows, up to a line `\.`; that is not SQL, and the splitter's iterator refuses it.
#[must_use]
pub fn copies_from_stdin(text: &str, syntax: &Syntax) -> bool {
    if !syntax.psql {
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
