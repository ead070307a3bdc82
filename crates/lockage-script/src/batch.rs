//! `GO` lines, which divide a SQL Server script into batches.

use std::io::Read;

use super::cursor::Scan;
use super::error::SplitErrorKind;
use super::lexer::Lexer;

/// How much of a wrong line an error shows, in characters.
const SHOWN: usize = 40;

impl<R: Read> Lexer<'_, R> {
    /// With the scan behind a `GO` that starts a line: takes the rest of the line and returns the count.
    ///
    /// `None`, with nothing taken, where the word is an identifier (`go.id`).
    pub(super) fn go_line(&mut self) -> Scan<Option<u32>> {
        let separates = match self.cursor.peek(0)? {
            None | Some(b'\t'..=b'\r' | b' ' | b';') => true,
            Some(b'-') => self.cursor.peek(1)? == Some(b'-'),
            Some(b'/') => self.cursor.peek(1)? == Some(b'*'),
            _ => false,
        };
        if !separates {
            return Ok(None);
        }
        let rest = self.cursor.here();
        let mut count = None;
        loop {
            match self.cursor.peek(0)? {
                None => break,
                Some(b'\n') => {
                    self.cursor.bump(1);
                    break;
                }
                Some(b'\t'..=b'\r' | b' ') => self.cursor.bump(1),
                Some(b'0'..=b'9') if count.is_none() => match self.count()? {
                    Some(found) => count = Some(found),
                    None => return self.bad_go(rest),
                },
                Some(b'-') if self.cursor.peek(1)? == Some(b'-') => {
                    self.line_comment()?;
                }
                Some(b'/') if self.cursor.peek(1)? == Some(b'*') => {
                    let from = self.cursor.here();
                    self.block_comment()?;
                    if memchr::memchr(b'\n', self.cursor.slice(from, self.cursor.here())).is_some()
                    {
                        break;
                    }
                }
                Some(_) => return self.bad_go(rest),
            }
        }
        Ok(Some(count.unwrap_or(1)))
    }

    fn count(&mut self) -> Scan<Option<u32>> {
        let mut count = Some(0_u32);
        while let Some(digit @ b'0'..=b'9') = self.cursor.peek(0)? {
            self.cursor.bump(1);
            count =
                count.and_then(|count| count.checked_mul(10)?.checked_add(u32::from(digit - b'0')));
        }
        Ok(count.filter(|count| *count > 0))
    }

    fn bad_go(&mut self, rest: u64) -> Scan<Option<u32>> {
        self.cursor
            .seek(false, |window| memchr::memchr(b'\n', window))?;
        let line = self.cursor.text(rest, self.cursor.here())?;
        let found = line.trim().chars().take(SHOWN).collect();
        let place = self.cursor.position(self.start);
        Err(place.error(SplitErrorKind::BadGo { found }))
    }
}
