//! Tokens: just fine enough to find where a statement ends.

use std::io::Read;

use super::cursor::{Cursor, Scan};
use super::error::{Construct, SplitError, SplitErrorKind};
use super::syntax::{Backslash, Brackets, DollarQuotes, DoubleQuotes, Separator, Syntax};

const SPACE: u8 = 1;
const DIGIT: u8 = 2;
const WORD_START: u8 = 4;
const WORD_PART: u8 = 8;
/// Cannot start anything that matters to a statement's end.
const INERT: u8 = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
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
    /// What a `DELIMITER` line asked for.
    Delimiter,
    End,
}

/// Whether a `'` would go on with an `E'…'` literal: PostgreSQL joins literals that a line break separates.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Continuation {
    None,
    SameLine,
    NextLine,
}

pub(super) struct Lexer<'s, R> {
    pub(super) cursor: Cursor<R>,
    pub(super) syntax: &'s Syntax,
    /// Where the current token starts.
    pub(super) start: u64,
    /// Whether the bytes of white space and comments may be dropped as the scan goes.
    pub(super) discard: bool,
    /// In place of the semicolon.
    pub(super) delimiter: Option<Vec<u8>>,
    classes: [u8; 256],
    /// Where each open `/*!` starts.
    code: Vec<u64>,
    continuation: Continuation,
    after_as: bool,
    /// Whether the scan stands before a statement's first token.
    pub(super) leading: bool,
    /// Whether nothing, not even white space, stands before the scan in its line. Kept up to date before a statement only.
    line_start: bool,
}

impl<'s, R: Read> Lexer<'s, R> {
    pub(super) fn new(reader: R, chunk: usize, syntax: &'s Syntax) -> Self {
        Self {
            cursor: Cursor::new(reader, chunk),
            syntax,
            start: 0,
            discard: false,
            delimiter: None,
            classes: classes(syntax),
            code: Vec::new(),
            continuation: Continuation::None,
            after_as: false,
            leading: false,
            line_start: true,
        }
    }

    /// From here on this ends a statement, or again the semicolon.
    pub(super) fn set_delimiter(&mut self, delimiter: Option<Vec<u8>>) {
        self.classes = classes(self.syntax);
        if let Some(first) = delimiter.as_ref().and_then(|delimiter| delimiter.first()) {
            self.classes[usize::from(*first)] &= !INERT;
        }
        self.delimiter = delimiter;
    }

    /// Whether the scan stands inside `/*! … */`.
    pub(super) fn in_code(&self) -> bool {
        !self.code.is_empty()
    }

    /// The bytes of the current token.
    pub(super) fn bytes(&self) -> &[u8] {
        self.cursor.slice(self.start, self.cursor.here())
    }

    pub(super) fn next(&mut self) -> Scan<Token> {
        self.start = self.cursor.here();
        if self.delimiter.is_some() && self.code.is_empty() && self.take_delimiter()? {
            self.line_start = false;
            return Ok(Token::Delimiter);
        }
        let Some(byte) = self.cursor.peek(0)? else {
            return self.end();
        };
        let token = self.scan(byte)?;
        if !matches!(token, Token::Space { .. }) {
            self.line_start = false;
        }
        if self.continuation != Continuation::None {
            self.continuation = match (token, self.continuation) {
                (Token::Space { newline: true }, _) => Continuation::NextLine,
                (Token::Space { .. }, as_before) => as_before,
                (Token::Comment, as_before) if byte == b'-' => as_before,
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
    fn scan(&mut self, byte: u8) -> Scan<Token> {
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
            b'$' if self.dollar_quotes() => self.dollar_quoted(),
            b'-' if self.starts_dashes()? => self.line_comment(),
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

    /// Takes what cannot matter, such as words without a literal behind; returns where the last token in it ends.
    ///
    /// Only for a statement whose words do not count. The scan stands at the start of a token before and after.
    pub(super) fn skip_inert(&mut self) -> Scan<Option<u64>> {
        if self.continuation != Continuation::None {
            return Ok(None);
        }
        let classes = &self.classes;
        let is = |byte: &u8, class: u8| classes[usize::from(*byte)] & class != 0;
        let from = self.cursor.here();
        self.cursor.seek(false, |window| {
            window.iter().position(|byte| !is(byte, INERT))
        })?;
        let stopped = self.cursor.peek(0)?;
        let skipped = self.cursor.slice(from, self.cursor.here());
        let prefixed = stopped == Some(b'\'') && matches!(skipped, [.., b'e' | b'E']);
        let whole = if prefixed || stopped.is_some_and(|byte| is(&byte, WORD_PART)) {
            // The word in front decides what comes here.
            let before = skipped.iter().rposition(|byte| !is(byte, WORD_PART));
            before.map_or(0, |before| before + 1)
        } else {
            skipped.len()
        };
        let last = skipped[..whole].iter().rposition(|byte| !is(byte, SPACE));
        let end = last.map(|last| from + last as u64 + 1);
        self.cursor.back_to(from + whole as u64);
        self.after_as = false;
        Ok(end)
    }

    /// Takes bytes of one class; says whether one was a line feed.
    #[inline]
    fn run(&mut self, class: u8) -> Scan<bool> {
        let mut newline = false;
        loop {
            let window = self.cursor.window();
            let length = window
                .iter()
                .position(|byte| self.classes[usize::from(*byte)] & class == 0);
            let taken = length.unwrap_or(window.len());
            if class == SPACE
                && let Some(last) = window[..taken].last()
            {
                newline = newline || window[..taken].contains(&b'\n');
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

    fn space(&mut self) -> Scan<Token> {
        let newline = self.run(SPACE)?;
        Ok(Token::Space { newline })
    }

    fn word(&mut self) -> Scan<Token> {
        self.cursor.bump(1);
        self.run(WORD_PART)?;
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

    fn number(&mut self) -> Scan<Token> {
        self.run(DIGIT)?;
        // `1e5`, and MySQL's names that start with a digit. A dollar sign would start a literal.
        if let Some(byte) = self.cursor.peek(0)?
            && self.classes[usize::from(byte)] & WORD_START != 0
        {
            return self.word().map(|_| Token::Number);
        }
        Ok(Token::Number)
    }

    fn dollar_quotes(&self) -> bool {
        match self.syntax.dollar_quotes {
            DollarQuotes::None => false,
            DollarQuotes::Anywhere => true,
            DollarQuotes::AfterAs => self.after_as,
        }
    }

    fn starts_dashes(&mut self) -> Scan<bool> {
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

    /// Goes on to the end of the line, before the line break.
    pub(super) fn line_comment(&mut self) -> Scan<Token> {
        let discard = self.discard;
        if self.syntax.return_ends_comment {
            self.cursor
                .seek(discard, |window| memchr::memchr2(b'\n', b'\r', window))?;
        } else {
            self.cursor
                .seek(discard, |window| memchr::memchr(b'\n', window))?;
        }
        Ok(Token::Comment)
    }

    fn slash_star(&mut self) -> Scan<Token> {
        if self.syntax.versioned_comments {
            let mariadb = usize::from(self.cursor.peek(2)? == Some(b'M'));
            if self.cursor.peek(2 + mariadb)? == Some(b'!') {
                self.cursor.bump(3 + mariadb);
                self.run(DIGIT)?;
                self.code.push(self.start);
                return Ok(Token::CodeOpen);
            }
        }
        self.block_comment()
    }

    /// Takes a `/* … */` whose start is at the scan.
    pub(super) fn block_comment(&mut self) -> Scan<Token> {
        let start = self.cursor.here();
        // Dropping bytes would lose the place that an error has to name.
        let opened = self.discard.then(|| self.cursor.position(start));
        self.cursor.bump(2);
        let mut depth = 1_u64;
        while depth > 0 {
            let found = if self.syntax.nested_comments {
                self.cursor
                    .seek(self.discard, |window| memchr::memchr2(b'*', b'/', window))?
            } else {
                self.cursor
                    .seek(self.discard, |window| memchr::memchr(b'*', window))?
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

    fn end(&mut self) -> Scan<Token> {
        match self.code.first() {
            None => Ok(Token::End),
            Some(opened) => {
                let opened = *opened;
                Err(self.unterminated(opened, Construct::VersionedComment))
            }
        }
    }

    /// The error for something that is opened at `start` and never closed.
    pub(super) fn unterminated(&mut self, start: u64, what: Construct) -> Box<SplitError> {
        self.cursor
            .position(start)
            .error(SplitErrorKind::Unterminated(what))
    }
}

fn classes(syntax: &Syntax) -> [u8; 256] {
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
        classes[usize::from(byte)] = if matters { class } else { class | INERT };
    }
    for byte in syntax.word_starts.bytes() {
        classes[usize::from(byte)] |= WORD_START;
    }
    for byte in syntax.word_parts.bytes() {
        classes[usize::from(byte)] |= WORD_PART;
    }
    classes
}
