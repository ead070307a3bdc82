//! The iterator over the statements of a script.

use std::fmt;
use std::io::Read;

use crate::body::Body;
use crate::cursor::ScanResult;
use crate::error::{Construct, SplitError, SplitErrorKind};
use crate::lexer::{Lexer, Token};
use crate::psql_commands::copies_from_stdin;
use crate::syntax::{Separator, Syntax};

/// How many bytes are read in one call.
const CHUNK: usize = 64 * 1024;

/// One statement of a script; on SQL Server one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScriptStatement {
    /// The text from the first token to the last, without the comments around it and without its separator. Never empty.
    pub text: String,
    /// The offset of the text in the script, in bytes from 0. A byte-order mark counts.
    pub offset: u64,
    /// The line in which the text starts, from 1.
    pub line: u32,
    /// The character of that line, from 1. A byte-order mark does not count.
    pub column: u32,
    /// The number of `GO` lines before the text; 0 on other engines.
    pub batch: u32,
    /// How often to run the statement: the count of its `GO` line, else 1.
    pub repeat: u32,
}

/// Splits a script into statements, as an iterator.
///
/// It holds one statement at a time and a read buffer of 64 KiB. The buffer of a large statement is at most half as large again as the
/// statement. Comments between statements are released while they are read. After an error or the end of the script it yields `None`.
///
/// With [`Syntax::psql`], `COPY … FROM STDIN` and psql commands are errors.
pub struct Splitter<R> {
    lexer: Lexer<'static, R>,
    body: Body,
    batch: u32,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Running,
    Done,
}

/// The part of the script that is one statement.
struct Span {
    start: u64,
    end: u64,
    batch: u32,
    repeat: u32,
}

/// A statement whose end is not reached yet.
struct OpenStatement {
    /// The offset of the first token, if any.
    start: Option<u64>,
    /// The end of the last token.
    end: u64,
    /// Whether only white space and comments precede the current position in its line.
    line_start: bool,
    /// The number of open parentheses.
    parentheses: u64,
    /// The offset of the outermost open parenthesis.
    parenthesis_start: u64,
    repeat: u32,
}

/// The meaning of a token for the statement being read.
enum Role {
    /// White space, a comment or a `DELIMITER` line.
    Gap,
    /// Part of the text.
    Text,
    /// The separator after the statement.
    Separator,
    EndOfScript,
}

impl<R: Read> Splitter<R> {
    /// Creates a splitter for the script that `reader` yields. The splitter buffers by itself.
    pub fn new(reader: R, syntax: &'static Syntax) -> Self {
        Self {
            lexer: Lexer::new(reader, CHUNK, syntax),
            body: Body::new(syntax.bodies),
            batch: 0,
            state: State::Start,
        }
    }

    fn next_statement(&mut self) -> ScanResult<Option<ScriptStatement>> {
        while let Some(span) = self.next_span()? {
            if span.start < span.end {
                return self.statement(&span).map(Some);
            }
        }
        Ok(None)
    }

    /// Copies a statement out of the buffer.
    fn statement(&mut self, span: &Span) -> ScanResult<ScriptStatement> {
        let position = self.lexer.cursor.position(span.start);
        let text = self.lexer.cursor.text(span.start, span.end)?.to_owned();
        // Comparing four bytes is cheaper than reading the words of every statement.
        let is_copy = text
            .get(..4)
            .is_some_and(|word| word.eq_ignore_ascii_case("copy"));
        if is_copy && copies_from_stdin(&text, self.lexer.syntax) {
            self.state = State::Done;
            return Err(position.error(SplitErrorKind::CopyFromStdin));
        }
        Ok(ScriptStatement {
            text,
            offset: position.offset,
            line: position.line,
            column: position.column,
            batch: span.batch,
            repeat: span.repeat,
        })
    }

    /// Reads up to the next separator. The span is empty if no token precedes the separator.
    fn next_span(&mut self) -> ScanResult<Option<Span>> {
        self.lexer.cursor.release();
        // An error below leaves the splitter in the state `Done`.
        match std::mem::replace(&mut self.state, State::Done) {
            State::Start => self.lexer.cursor.skip_byte_order_mark()?,
            State::Running => {}
            State::Done => return Ok(None),
        }
        let mut open = self.begin_statement();
        loop {
            let token = self.lexer.next()?;
            match self.role(token, &mut open)? {
                Role::Gap => self.release_gap(),
                Role::Text => self.extend_text(&mut open)?,
                Role::Separator => {
                    self.state = State::Running;
                    let span = self.span(&open);
                    if self.lexer.syntax.separator == Separator::GoLine {
                        self.batch = self.batch.saturating_add(1);
                    }
                    return Ok(Some(span));
                }
                Role::EndOfScript => {
                    self.check_closed(&open)?;
                    return Ok(Some(self.span(&open)));
                }
            }
        }
    }

    fn begin_statement(&mut self) -> OpenStatement {
        self.body.begin(self.lexer.delimiter.is_none());
        self.lexer.discard = true;
        self.lexer.leading = true;
        OpenStatement {
            start: None,
            end: 0,
            line_start: true,
            parentheses: 0,
            parenthesis_start: 0,
            repeat: 1,
        }
    }

    #[inline]
    fn role(&mut self, token: Token, open: &mut OpenStatement) -> ScanResult<Role> {
        let syntax = self.lexer.syntax;
        match token {
            Token::Space { newline } => {
                open.line_start |= newline;
                return Ok(Role::Gap);
            }
            Token::Comment => return Ok(Role::Gap),
            Token::End => return Ok(Role::EndOfScript),
            Token::Delimiter => return Ok(Role::Separator),
            Token::Word => return self.word_role(open),
            Token::Punct(b';')
                if syntax.separator == Separator::Semicolon && open.parentheses == 0 =>
            {
                // The body must see each semicolon, even one that cannot end the statement.
                let ends_body = self.body.semicolon();
                if ends_body && self.lexer.delimiter.is_none() && !self.lexer.in_code() {
                    return Ok(Role::Separator);
                }
            }
            Token::Punct(b'(') if syntax.parentheses_group => {
                if open.parentheses == 0 {
                    open.parenthesis_start = self.lexer.start;
                }
                open.parentheses += 1;
                self.body.token(token);
            }
            Token::Punct(b')') if syntax.parentheses_group => {
                open.parentheses = open.parentheses.saturating_sub(1);
                self.body.token(token);
            }
            Token::Punct(b'\\') if syntax.psql && open.start.is_none() => {
                return Err(self.lexer.psql_command()?);
            }
            _ => self.body.token(token),
        }
        Ok(Role::Text)
    }

    #[inline]
    fn word_role(&mut self, open: &mut OpenStatement) -> ScanResult<Role> {
        let syntax = self.lexer.syntax;
        // The rest of a `GO` or `DELIMITER` line is read from the buffer.
        self.lexer.discard = false;
        if syntax.separator == Separator::GoLine
            && open.line_start
            && self.lexer.bytes().eq_ignore_ascii_case(b"go")
            && let Some(count) = self.lexer.go_line()?
        {
            open.repeat = count;
            return Ok(Role::Separator);
        }
        if open.start.is_none()
            && syntax.delimiter_lines
            && self.lexer.bytes().eq_ignore_ascii_case(b"delimiter")
            && self.lexer.delimiter_line()?
        {
            self.body.begin(self.lexer.delimiter.is_none());
            self.lexer.discard = true;
            return Ok(Role::Gap);
        }
        if self.body.tracks_words() {
            self.body.word(self.lexer.bytes());
        }
        Ok(Role::Text)
    }

    /// Adds the current token to the text.
    #[inline]
    fn extend_text(&mut self, open: &mut OpenStatement) -> ScanResult<()> {
        if open.start.is_none() {
            open.start = Some(self.lexer.start);
            self.lexer.discard = false;
            self.lexer.leading = false;
        }
        open.line_start = false;
        open.end = self.lexer.cursor.offset();
        if !self.body.tracks_words()
            && let Some(end) = self.lexer.skip_inert()?
        {
            open.end = end;
        }
        Ok(())
    }

    /// Before the first token of a statement, releases what the iterator does not yield.
    fn release_gap(&mut self) {
        if self.lexer.discard {
            self.lexer.cursor.release();
        }
    }

    /// Fails if the script ends inside a body or parentheses.
    fn check_closed(&mut self, open: &OpenStatement) -> ScanResult<()> {
        if let Some(start) = open.start
            && !self.body.is_closed()
        {
            return Err(self.lexer.unterminated(start, Construct::Body));
        }
        if open.parentheses > 0 {
            return Err(self
                .lexer
                .unterminated(open.parenthesis_start, Construct::Parenthesis));
        }
        Ok(())
    }

    fn span(&self, open: &OpenStatement) -> Span {
        let start = open.start.unwrap_or(self.lexer.start);
        Span {
            start,
            end: open.end.max(start),
            batch: self.batch,
            repeat: open.repeat,
        }
    }
}

impl<R: Read> Iterator for Splitter<R> {
    type Item = Result<ScriptStatement, SplitError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_statement().map_err(|error| *error).transpose()
    }
}

impl<R: Read> std::iter::FusedIterator for Splitter<R> {}

impl<R> fmt::Debug for Splitter<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Splitter")
            .field("syntax", &self.lexer.syntax.name)
            .field("batch", &self.batch)
            .finish_non_exhaustive()
    }
}
