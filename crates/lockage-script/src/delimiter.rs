//! MySQL's `DELIMITER` lines, which the client takes and the server never sees.

use std::io::Read;

use super::cursor::Scan;
use super::error::SplitErrorKind;
use super::lexer::Lexer;

impl<R: Read> Lexer<'_, R> {
    /// With the scan behind the word `DELIMITER`: takes the rest of the line, unless the word is something else.
    pub(super) fn delimiter_line(&mut self) -> Scan<bool> {
        let next = self.cursor.peek(0)?;
        if next.is_some_and(|byte| !byte.is_ascii_whitespace()) {
            return Ok(false);
        }
        let from = self.cursor.here();
        self.cursor
            .seek(false, |window| memchr::memchr(b'\n', window))?;
        let line = self.cursor.text(from, self.cursor.here())?.trim();
        let found = argument(line);
        if found.is_empty() || found.contains('\\') {
            let found = found.to_owned();
            let place = self.cursor.position(self.start);
            return Err(place.error(SplitErrorKind::BadDelimiter { found }));
        }
        let delimiter = (found != ";").then(|| found.as_bytes().to_vec());
        self.set_delimiter(delimiter);
        Ok(true)
    }

    /// Takes the delimiter if it stands at the scan.
    pub(super) fn take_delimiter(&mut self) -> Scan<bool> {
        let Some(delimiter) = self.delimiter.take() else {
            return Ok(false);
        };
        let mut stands = self.cursor.stands(0, &delimiter)?;
        if stands && is_word(&delimiter) {
            // `go` must not divide `gold`.
            let next = self.cursor.peek(delimiter.len())?;
            stands = !next.is_some_and(|byte| is_word(&[byte]));
        }
        if stands {
            self.cursor.bump(delimiter.len());
        }
        self.delimiter = Some(delimiter);
        Ok(stands)
    }

    /// With the scan behind a word: moves it back to a delimiter inside, as in `END$$`.
    pub(super) fn cut_at_delimiter(&mut self) -> Scan<()> {
        let Some(delimiter) = self.delimiter.take() else {
            return Ok(());
        };
        let length = self.bytes().len();
        if !is_word(&delimiter) {
            self.cursor.back_to(self.start);
            let mut kept = 1;
            while kept < length && !self.cursor.stands(kept, &delimiter)? {
                kept += 1;
            }
            self.cursor.bump(kept);
        }
        self.delimiter = Some(delimiter);
        Ok(())
    }
}

/// The first word of a line, or what its quotes hold.
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
