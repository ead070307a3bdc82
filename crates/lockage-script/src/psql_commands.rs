//! Parts of psql scripts that are not SQL: psql commands, and the data after `COPY … FROM STDIN`.

use std::io::Read;

use crate::cursor::ScanResult;
use crate::error::{SplitError, SplitErrorKind};
use crate::lexer::Lexer;
use crate::syntax::Syntax;
use crate::words::Words;

impl<R: Read> Lexer<'_, R> {
    /// Returns the error for a psql command, whose backslash is the current token.
    pub(crate) fn psql_command(&mut self) -> ScanResult<Box<SplitError>> {
        self.cursor
            .seek(false, |bytes| memchr::memchr(b'\n', bytes))?;
        let line = self.cursor.text(self.start, self.cursor.offset())?;
        let found = line
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned();
        let position = self.cursor.position(self.start);
        Ok(position.error(SplitErrorKind::PsqlCommand { found }))
    }
}

/// Returns whether a statement is a `COPY … FROM STDIN`.
///
/// In a psql script its data follows, up to a line `\.`. The data is not SQL, so [`Splitter`](crate::Splitter) rejects the statement.
#[must_use]
pub fn copies_from_stdin(text: &str, syntax: &Syntax) -> bool {
    if !syntax.psql {
        return false;
    }
    let mut words = Words::new(text, syntax);
    if !words.next().is_some_and(|word| word.is("COPY")) {
        return false;
    }
    let mut after_from = false;
    for word in words {
        if after_from && (word.is("STDIN") || word.is("STDOUT")) {
            return true;
        }
        after_from = word.is("FROM");
    }
    false
}
