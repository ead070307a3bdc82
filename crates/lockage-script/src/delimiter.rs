//! MySQL's `DELIMITER` lines, which only the client reads, and the delimiters that they set.

use std::io::Read;

use crate::cursor::ScanResult;
use crate::error::SplitErrorKind;
use crate::lexer::Lexer;

impl<R: Read> Lexer<'_, R> {
    /// Reads the rest of a `DELIMITER` line, after that word, and sets the delimiter.
    ///
    /// Returns false and reads nothing if the word is an identifier (`delimiter.x`).
    pub(crate) fn delimiter_line(&mut self) -> ScanResult<bool> {
        let next = self.cursor.peek(0)?;
        if next.is_some_and(|byte| !byte.is_ascii_whitespace()) {
            return Ok(false);
        }
        let from = self.cursor.offset();
        self.cursor
            .seek(false, |bytes| memchr::memchr(b'\n', bytes))?;
        let line = self.cursor.text(from, self.cursor.offset())?.trim();
        let found = argument(line);
        if found.is_empty() || found.contains('\\') {
            let found = found.to_owned();
            let position = self.cursor.position(self.start);
            return Err(position.error(SplitErrorKind::BadDelimiter { found }));
        }
        let delimiter = (found != ";").then(|| found.as_bytes().to_vec());
        self.set_delimiter(delimiter);
        Ok(true)
    }

    /// Reads the delimiter if the script continues with it.
    pub(crate) fn take_delimiter(&mut self) -> ScanResult<bool> {
        let Some(delimiter) = self.delimiter.take() else {
            return Ok(false);
        };
        let mut found = self.cursor.starts_with(0, &delimiter)?;
        if found && is_word(&delimiter) {
            // The delimiter `go` must not divide `gold`.
            let next = self.cursor.peek(delimiter.len())?;
            found = !next.is_some_and(|byte| is_word(&[byte]));
        }
        if found {
            self.cursor.bump(delimiter.len());
        }
        self.delimiter = Some(delimiter);
        Ok(found)
    }

    /// Shortens the word that was just read to end before a delimiter inside it, as in `END$$`.
    pub(crate) fn cut_at_delimiter(&mut self) -> ScanResult<()> {
        let Some(delimiter) = self.delimiter.take() else {
            return Ok(());
        };
        let length = self.bytes().len();
        if !is_word(&delimiter) {
            self.cursor.back_to(self.start);
            let mut kept = 1;
            while kept < length && !self.cursor.starts_with(kept, &delimiter)? {
                kept += 1;
            }
            self.cursor.bump(kept);
        }
        self.delimiter = Some(delimiter);
        Ok(())
    }
}

/// Returns the first word of a line, or the text inside its quotes.
fn argument(line: &str) -> &str {
    match line.chars().next() {
        Some(quote @ ('\'' | '"' | '`')) => line[1..].split(quote).next().unwrap_or_default(),
        _ => line.split_ascii_whitespace().next().unwrap_or_default(),
    }
}

fn is_word(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}
