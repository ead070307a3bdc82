//! Literals and quoted identifiers.

use std::io::Read;

use memchr::memmem::Finder;

use super::cursor::Scan;
use super::error::Construct;
use super::lexer::{Lexer, Token};

impl<R: Read> Lexer<'_, R> {
    /// Takes a string whose opening quote is at the scan; `start` may stand before it, at a prefix.
    pub(super) fn string(&mut self, quote: u8, escapes: bool) -> Scan<Token> {
        self.delimited(quote, escapes, true, Construct::String)
    }

    /// Takes a quoted identifier whose opening quote is at the scan.
    pub(super) fn identifier(&mut self, close: u8, doubled: bool) -> Scan<Token> {
        self.delimited(close, false, doubled, Construct::Identifier)
    }

    fn delimited(
        &mut self,
        close: u8,
        escapes: bool,
        doubled: bool,
        what: Construct,
    ) -> Scan<Token> {
        self.cursor.bump(1);
        loop {
            let found = if escapes {
                self.cursor
                    .seek(false, |window| memchr::memchr2(close, b'\\', window))?
            } else {
                self.cursor
                    .seek(false, |window| memchr::memchr(close, window))?
            };
            if !found {
                return Err(self.unterminated(self.start, what));
            }
            if self.cursor.peek(0)? == Some(close) {
                if doubled && self.cursor.peek(1)? == Some(close) {
                    self.cursor.bump(2);
                    continue;
                }
                self.cursor.bump(1);
                return Ok(Token::Quoted);
            }
            // A backslash: half of a character may go with it, the quote is still found behind.
            if self.cursor.peek(1)?.is_none() {
                return Err(self.unterminated(self.start, what));
            }
            self.cursor.bump(2);
        }
    }

    /// Takes a dollar-quoted literal, or the one character `$` where no tag starts.
    pub(super) fn dollar_quoted(&mut self) -> Scan<Token> {
        let mut length = 1;
        loop {
            match self.cursor.peek(length)? {
                Some(b'$') => break,
                Some(b'A'..=b'Z' | b'a'..=b'z' | b'_' | 0x80..) => length += 1,
                Some(b'0'..=b'9') if length > 1 => length += 1,
                _ => {
                    self.cursor.bump(1);
                    return Ok(Token::Punct(b'$'));
                }
            }
        }
        let tag = self.cursor.window()[..=length].to_vec();
        self.cursor.bump(tag.len());
        let finder = Finder::new(&tag);
        loop {
            if let Some(found) = finder.find(self.cursor.window()) {
                self.cursor.bump(found + tag.len());
                return Ok(Token::Quoted);
            }
            // The window's end may hold the start of the closing tag.
            let window = self.cursor.window().len();
            let behind = window.saturating_sub(tag.len() - 1);
            self.cursor.bump(behind);
            if self.cursor.peek(window - behind)?.is_none() {
                return Err(self.unterminated(self.start, Construct::DollarQuoted));
            }
        }
    }
}
