//! Literals and quoted identifiers.

use std::io::Read;

use memchr::memmem::Finder;

use crate::cursor::ScanResult;
use crate::error::Construct;
use crate::lexer::{Lexer, Token};

impl<R: Read> Lexer<'_, R> {
    /// Reads a string literal from its opening quote on. `start` may be before the quote, at a prefix.
    pub(crate) fn string(&mut self, quote: u8, escapes: bool) -> ScanResult<Token> {
        self.delimited(quote, escapes, true, Construct::String)
    }

    /// Reads a quoted identifier from its opening quote on.
    pub(crate) fn identifier(&mut self, close: u8, doubled: bool) -> ScanResult<Token> {
        self.delimited(close, false, doubled, Construct::Identifier)
    }

    fn delimited(
        &mut self,
        close: u8,
        escapes: bool,
        doubled: bool,
        construct: Construct,
    ) -> ScanResult<Token> {
        self.cursor.bump(1);
        loop {
            let found = if escapes {
                self.cursor
                    .seek(false, |bytes| memchr::memchr2(close, b'\\', bytes))?
            } else {
                self.cursor
                    .seek(false, |bytes| memchr::memchr(close, bytes))?
            };
            if !found {
                return Err(self.unterminated(self.start, construct));
            }
            if self.cursor.peek(0)? == Some(close) {
                if doubled && self.cursor.peek(1)? == Some(close) {
                    self.cursor.bump(2);
                    continue;
                }
                self.cursor.bump(1);
                return Ok(Token::Quoted);
            }
            // A backslash. Skipping one byte after it can cut a character, but no later byte of a character equals a quote.
            if self.cursor.peek(1)?.is_none() {
                return Err(self.unterminated(self.start, construct));
            }
            self.cursor.bump(2);
        }
    }

    /// Reads a dollar-quoted literal, or the single character `$` if no tag starts here.
    pub(crate) fn dollar_quoted(&mut self) -> ScanResult<Token> {
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
        let tag = self.cursor.lookahead()[..=length].to_vec();
        self.cursor.bump(tag.len());
        let finder = Finder::new(&tag);
        loop {
            if let Some(found) = finder.find(self.cursor.lookahead()) {
                self.cursor.bump(found + tag.len());
                return Ok(Token::Quoted);
            }
            // The end of the buffered bytes may hold the start of the closing tag.
            let buffered = self.cursor.lookahead().len();
            let searched = buffered.saturating_sub(tag.len() - 1);
            self.cursor.bump(searched);
            if self.cursor.peek(buffered - searched)?.is_none() {
                return Err(self.unterminated(self.start, Construct::DollarQuoted));
            }
        }
    }
}
