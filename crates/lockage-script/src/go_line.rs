//! `GO` lines, which divide a SQL Server script into batches.

use std::io::Read;

use crate::cursor::ScanResult;
use crate::error::SplitErrorKind;
use crate::lexer::Lexer;

/// How many characters of an invalid line an error shows.
const MAX_SHOWN: usize = 40;

impl<R: Read> Lexer<'_, R> {
    /// Reads the rest of a line that starts with `GO`, after that word. Returns the count.
    ///
    /// Returns `None` and reads nothing if the word is an identifier (`go.id`).
    pub(crate) fn go_line(&mut self) -> ScanResult<Option<u32>> {
        let separates = match self.cursor.peek(0)? {
            None | Some(b'\t'..=b'\r' | b' ' | b';') => true,
            Some(b'-') => self.cursor.peek(1)? == Some(b'-'),
            Some(b'/') => self.cursor.peek(1)? == Some(b'*'),
            _ => false,
        };
        if !separates {
            return Ok(None);
        }
        let line_rest = self.cursor.offset();
        let mut count = None;
        loop {
            match self.cursor.peek(0)? {
                None => break,
                Some(b'\n') => {
                    self.cursor.bump(1);
                    break;
                }
                Some(b'\t'..=b'\r' | b' ') => self.cursor.bump(1),
                Some(b'0'..=b'9') if count.is_none() => match self.go_count()? {
                    Some(found) => count = Some(found),
                    None => return self.bad_go(line_rest),
                },
                Some(b'-') if self.cursor.peek(1)? == Some(b'-') => {
                    self.line_comment()?;
                }
                Some(b'/') if self.cursor.peek(1)? == Some(b'*') => {
                    let from = self.cursor.offset();
                    self.block_comment()?;
                    if memchr::memchr(b'\n', self.cursor.slice(from, self.cursor.offset()))
                        .is_some()
                    {
                        break;
                    }
                }
                Some(_) => return self.bad_go(line_rest),
            }
        }
        Ok(Some(count.unwrap_or(1)))
    }

    /// Reads the digits of a count. Returns `None` if they are no `u32` of at least 1.
    fn go_count(&mut self) -> ScanResult<Option<u32>> {
        let mut count = Some(0_u32);
        while let Some(digit @ b'0'..=b'9') = self.cursor.peek(0)? {
            self.cursor.bump(1);
            count =
                count.and_then(|count| count.checked_mul(10)?.checked_add(u32::from(digit - b'0')));
        }
        Ok(count.filter(|count| *count > 0))
    }

    fn bad_go(&mut self, line_rest: u64) -> ScanResult<Option<u32>> {
        self.cursor
            .seek(false, |bytes| memchr::memchr(b'\n', bytes))?;
        let line = self.cursor.text(line_rest, self.cursor.offset())?;
        let found = line.trim().chars().take(MAX_SHOWN).collect();
        let position = self.cursor.position(self.start);
        Err(position.error(SplitErrorKind::BadGo { found }))
    }
}
