//! The lexer. Its tokens are just fine enough to find the ends of statements.

use std::io::Read;

use crate::cursor::{Cursor, ScanResult};
use crate::error::{Construct, SplitError, SplitErrorKind};
use crate::syntax::{Backslash, Brackets, DollarQuotes, DoubleQuotes, Separator, Syntax};

const SPACE: u8 = 1;
const DIGIT: u8 = 2;
const WORD_START: u8 = 4;
const WORD_PART: u8 = 8;
/// Bytes that cannot start a token that affects the end of a statement.
const INERT_BYTES: u8 = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    Space {
        newline: bool,
    },
    Comment,
    Word,
    Number,
    /// A literal or a quoted identifier.
    Quoted,
    Punct(u8),
    /// `/*!` with its version.
    CodeOpen,
    /// The `*/` of a `/*!`.
    CodeClose,
    /// The delimiter that a `DELIMITER` line set.
    Delimiter,
    End,
}

/// Whether a `'` would continue an `E'…'` literal. PostgreSQL joins literals that a line break separates.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Continuation {
    None,
    SameLine,
    NextLine,
}

pub(crate) struct Lexer<'s, R> {
    pub(crate) cursor: Cursor<R>,
    pub(crate) syntax: &'s Syntax,
    /// The offset of the current token.
    pub(crate) start: u64,
    /// Whether the bytes of white space and comments may be released while they are read.
    pub(crate) discard: bool,
    /// The text that ends statements, if not the semicolon.
    pub(crate) delimiter: Option<Vec<u8>>,
    classes: [u8; 256],
    /// The offsets of the open `/*!`.
    code: Vec<u64>,
    continuation: Continuation,
    /// Whether the last token was the word `AS`. Maintained only for [`DollarQuotes::AfterAs`].
    after_as: bool,
    /// Whether the first token of the statement is still to come.
    pub(crate) leading: bool,
    /// Whether the current byte is the first of its line. Maintained only between statements.
    line_start: bool,
}

impl<'s, R: Read> Lexer<'s, R> {
    pub(crate) fn new(reader: R, chunk: usize, syntax: &'s Syntax) -> Self {
        Self {
            cursor: Cursor::new(reader, chunk),
            syntax,
            start: 0,
            discard: false,
            delimiter: None,
            classes: byte_classes(syntax),
            code: Vec::new(),
            continuation: Continuation::None,
            after_as: false,
            leading: false,
            line_start: true,
        }
    }

    /// Sets the text that ends the following statements. `None` means the semicolon.
    pub(crate) fn set_delimiter(&mut self, delimiter: Option<Vec<u8>>) {
        self.classes = byte_classes(self.syntax);
        if let Some(first) = delimiter.as_ref().and_then(|delimiter| delimiter.first()) {
            self.classes[usize::from(*first)] &= !INERT_BYTES;
        }
        self.delimiter = delimiter;
    }

    /// Returns whether the current position is inside `/*! … */`.
    pub(crate) fn in_code(&self) -> bool {
        !self.code.is_empty()
    }

    /// Returns the bytes of the current token.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.cursor.slice(self.start, self.cursor.offset())
    }

    /// Reads the next token.
    pub(crate) fn next(&mut self) -> ScanResult<Token> {
        self.start = self.cursor.offset();
        if self.delimiter.is_some() && self.code.is_empty() && self.take_delimiter()? {
            self.line_start = false;
            return Ok(Token::Delimiter);
        }
        let Some(byte) = self.cursor.peek(0)? else {
            return self.end_of_script();
        };
        let token = self.read_token(byte)?;
        if !matches!(token, Token::Space { .. }) {
            self.line_start = false;
        }
        if self.continuation != Continuation::None {
            self.continuation = match (token, self.continuation) {
                (Token::Space { newline: true }, _) => Continuation::NextLine,
                (Token::Space { .. }, unchanged) => unchanged,
                (Token::Comment, unchanged) if byte == b'-' => unchanged,
                (Token::Quoted, _) if matches!(byte, b'\'' | b'e' | b'E') => Continuation::SameLine,
                _ => Continuation::None,
            };
        }
        if self.syntax.dollar_quotes == DollarQuotes::AfterAs {
            self.after_as = match token {
                Token::Space { .. } | Token::Comment => self.after_as,
                Token::Word => self.bytes().eq_ignore_ascii_case(b"as"),
                _ => false,
            };
        }
        Ok(token)
    }

    #[inline]
    fn read_token(&mut self, byte: u8) -> ScanResult<Token> {
        let class = self.classes[usize::from(byte)];
        if class & WORD_START != 0 {
            return self.word();
        }
        if class & SPACE != 0 {
            return self.space();
        }
        if class & DIGIT != 0 {
            return self.number();
        }
        match byte {
            b'\'' => {
                let escapes = match self.syntax.backslash {
                    Backslash::Plain => false,
                    Backslash::EscapeStrings => self.continuation == Continuation::NextLine,
                    Backslash::Escapes => true,
                };
                self.string(b'\'', escapes)
            }
            b'"' => match self.syntax.double_quotes {
                DoubleQuotes::Identifier => self.identifier(b'"', true),
                DoubleQuotes::String => {
                    self.string(b'"', self.syntax.backslash == Backslash::Escapes)
                }
            },
            b'`' if self.syntax.backticks => self.identifier(b'`', true),
            b'[' if self.syntax.brackets == Brackets::Doubled => self.identifier(b']', true),
            b'[' if self.syntax.brackets == Brackets::Plain => self.identifier(b']', false),
            b'$' if self.is_dollar_quote() => self.dollar_quoted(),
            b'-' if self.is_dash_comment()? => self.line_comment(),
            b'#' if self.syntax.hash_comments => self.line_comment(),
            b'/' if self.cursor.peek(1)? == Some(b'*') => self.slash_star(),
            b'*' if self.in_code() && self.cursor.peek(1)? == Some(b'/') => {
                self.cursor.bump(2);
                self.code.pop();
                Ok(Token::CodeClose)
            }
            _ => {
                self.cursor.bump(1);
                Ok(Token::Punct(byte))
            }
        }
    }

    /// Skips tokens that cannot affect the end of the statement, such as words without a literal after them. Returns the end of the last
    /// token that was skipped.
    ///
    /// Only for statements whose words do not matter. The current position is the start of a token before and after.
    pub(crate) fn skip_inert(&mut self) -> ScanResult<Option<u64>> {
        if self.continuation != Continuation::None {
            return Ok(None);
        }
        let classes = &self.classes;
        let is = |byte: &u8, class: u8| classes[usize::from(*byte)] & class != 0;
        let from = self.cursor.offset();
        self.cursor.seek(false, |bytes| {
            bytes.iter().position(|byte| !is(byte, INERT_BYTES))
        })?;
        let next = self.cursor.peek(0)?;
        let skipped = self.cursor.slice(from, self.cursor.offset());
        let prefixed = next == Some(b'\'') && matches!(skipped, [.., b'e' | b'E']);
        let complete = if prefixed || next.is_some_and(|byte| is(&byte, WORD_PART)) {
            // The last word decides how the next byte is read, so the lexer has to read that word.
            let before = skipped.iter().rposition(|byte| !is(byte, WORD_PART));
            before.map_or(0, |before| before + 1)
        } else {
            skipped.len()
        };
        let last = skipped[..complete]
            .iter()
            .rposition(|byte| !is(byte, SPACE));
        let end = last.map(|last| from + last as u64 + 1);
        self.cursor.back_to(from + complete as u64);
        self.after_as = false;
        Ok(end)
    }

    /// Reads bytes of one class. Returns whether one of them was a line feed.
    #[inline]
    fn read_class(&mut self, class: u8) -> ScanResult<bool> {
        let mut newline = false;
        loop {
            let bytes = self.cursor.lookahead();
            let length = bytes
                .iter()
                .position(|byte| self.classes[usize::from(*byte)] & class == 0);
            let taken = length.unwrap_or(bytes.len());
            if class == SPACE
                && let Some(last) = bytes[..taken].last()
            {
                newline = newline || bytes[..taken].contains(&b'\n');
                self.line_start = *last == b'\n';
            }
            self.cursor.bump(taken);
            if length.is_some() {
                return Ok(newline);
            }
            if class == SPACE && self.discard {
                self.cursor.release();
            }
            if self.cursor.peek(0)?.is_none() {
                return Ok(newline);
            }
        }
    }

    fn space(&mut self) -> ScanResult<Token> {
        let newline = self.read_class(SPACE)?;
        Ok(Token::Space { newline })
    }

    fn word(&mut self) -> ScanResult<Token> {
        self.cursor.bump(1);
        self.read_class(WORD_PART)?;
        if self.delimiter.is_some() {
            self.cut_at_delimiter()?;
        }
        if self.syntax.backslash == Backslash::EscapeStrings
            && matches!(self.bytes(), b"e" | b"E")
            && self.cursor.peek(0)? == Some(b'\'')
        {
            self.continuation = Continuation::SameLine;
            return self.string(b'\'', true);
        }
        Ok(Token::Word)
    }

    fn number(&mut self) -> ScanResult<Token> {
        self.read_class(DIGIT)?;
        // `1e5`, and MySQL's names that start with a digit. A dollar sign starts a literal instead.
        if let Some(byte) = self.cursor.peek(0)?
            && self.classes[usize::from(byte)] & WORD_START != 0
        {
            return self.word().map(|_| Token::Number);
        }
        Ok(Token::Number)
    }

    fn is_dollar_quote(&self) -> bool {
        match self.syntax.dollar_quotes {
            DollarQuotes::None => false,
            DollarQuotes::Anywhere => true,
            DollarQuotes::AfterAs => self.after_as,
        }
    }

    fn is_dash_comment(&mut self) -> ScanResult<bool> {
        if self.cursor.peek(1)? != Some(b'-') {
            return Ok(false);
        }
        Ok(!self.syntax.dashes_need_space
            || (self.leading && self.line_start)
            || self
                .cursor
                .peek(2)?
                .is_none_or(|byte| byte <= b' ' || byte == 0x7f))
    }

    /// Reads a comment up to the line break, which is not part of it.
    pub(crate) fn line_comment(&mut self) -> ScanResult<Token> {
        let discard = self.discard;
        if self.syntax.return_ends_comment {
            self.cursor
                .seek(discard, |bytes| memchr::memchr2(b'\n', b'\r', bytes))?;
        } else {
            self.cursor
                .seek(discard, |bytes| memchr::memchr(b'\n', bytes))?;
        }
        Ok(Token::Comment)
    }

    fn slash_star(&mut self) -> ScanResult<Token> {
        if self.syntax.versioned_comments {
            let mariadb = usize::from(self.cursor.peek(2)? == Some(b'M'));
            if self.cursor.peek(2 + mariadb)? == Some(b'!') {
                self.cursor.bump(3 + mariadb);
                self.read_class(DIGIT)?;
                self.code.push(self.start);
                return Ok(Token::CodeOpen);
            }
        }
        self.block_comment()
    }

    /// Reads a `/* … */` from its start on.
    pub(crate) fn block_comment(&mut self) -> ScanResult<Token> {
        let start = self.cursor.offset();
        // An error names this position, which is lost when the bytes are released.
        let opened = self.discard.then(|| self.cursor.position(start));
        self.cursor.bump(2);
        let mut depth = 1_u64;
        while depth > 0 {
            let found = if self.syntax.nested_comments {
                self.cursor
                    .seek(self.discard, |bytes| memchr::memchr2(b'*', b'/', bytes))?
            } else {
                self.cursor
                    .seek(self.discard, |bytes| memchr::memchr(b'*', bytes))?
            };
            if !found {
                let opened = opened.unwrap_or_else(|| self.cursor.position(start));
                return Err(opened.error(SplitErrorKind::Unterminated(Construct::Comment)));
            }
            match (self.cursor.peek(0)?, self.cursor.peek(1)?) {
                (Some(b'*'), Some(b'/')) => {
                    depth -= 1;
                    self.cursor.bump(2);
                }
                (Some(b'/'), Some(b'*')) => {
                    depth += 1;
                    self.cursor.bump(2);
                }
                _ => self.cursor.bump(1),
            }
        }
        Ok(Token::Comment)
    }

    fn end_of_script(&mut self) -> ScanResult<Token> {
        match self.code.first() {
            None => Ok(Token::End),
            Some(opened) => {
                let opened = *opened;
                Err(self.unterminated(opened, Construct::VersionedComment))
            }
        }
    }

    /// Returns the error for a construct that is opened at `start` and never closed.
    pub(crate) fn unterminated(&mut self, start: u64, construct: Construct) -> Box<SplitError> {
        self.cursor
            .position(start)
            .error(SplitErrorKind::Unterminated(construct))
    }
}

/// Returns the class bits of each byte.
fn byte_classes(syntax: &Syntax) -> [u8; 256] {
    let mut classes = [0; 256];
    for byte in 0..=u8::MAX {
        let class = match byte {
            b'\t'..=b'\r' | b' ' => SPACE,
            b'0'..=b'9' => DIGIT | WORD_PART,
            b'A'..=b'Z' | b'a'..=b'z' | b'_' | 0x80.. => WORD_START | WORD_PART,
            _ => 0,
        };
        let matters = match byte {
            b'\'' | b'"' | b'-' | b'/' => true,
            b'`' => syntax.backticks,
            b'[' => syntax.brackets != Brackets::Operators,
            b'$' => syntax.dollar_quotes != DollarQuotes::None,
            b'#' => syntax.hash_comments,
            b'*' => syntax.versioned_comments,
            b'(' | b')' => syntax.parentheses_group,
            b';' => syntax.separator == Separator::Semicolon,
            b'\n' => syntax.separator == Separator::GoLine,
            _ => false,
        };
        classes[usize::from(byte)] = if matters { class } else { class | INERT_BYTES };
    }
    for byte in syntax.word_starts.bytes() {
        classes[usize::from(byte)] |= WORD_START;
    }
    for byte in syntax.word_parts.bytes() {
        classes[usize::from(byte)] |= WORD_PART;
    }
    classes
}
