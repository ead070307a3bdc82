//! Statements, one at a time.

use std::fmt;
use std::io::Read;

use super::body::Body;
use super::cursor::Scan;
use super::error::{Construct, SplitError, SplitErrorKind};
use super::lexer::{Lexer, Token};
use super::psql::copies_from_stdin;
use super::syntax::{Separator, Syntax};

/// How much is read at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// One statement of a script; on SQL Server one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statement {
    /// From the first token to the last, without comments around it and without what ends it. Never empty.
    pub text: String,
    /// Where the text starts in the script, in bytes from 0, a byte-order mark counted.
    pub offset: u64,
    /// The line that the text starts in, from 1.
    pub line: u32,
    /// The character of that line, from 1, a byte-order mark not counted.
    pub column: u32,
    /// How many `GO` lines stand before it; 0 on other engines.
    pub batch: u32,
    /// How often to run it: the count of its `GO` line; else 1.
    pub repeat: u32,
}

/// One statement with everything around it: all pieces together are the script, byte for byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Piece<'a> {
    /// A byte-order mark, white space, comments and `DELIMITER` lines before the text.
    pub leading: &'a str,
    /// From the first token to the last. Empty where nothing stands between two separators, or behind the last.
    pub text: &'a str,
    /// White space and comments behind the text, and what ends it. Without a separator at the end of the script.
    pub terminator: &'a str,
}

/// Splits what a reader yields into statements.
///
/// It holds one statement at a time and a read buffer of 64 KiB; the buffer of a large statement is at most half as large again as
/// the statement. Comments between statements are dropped as they come. After an error or the end it yields nothing more.
pub struct Splitter<R> {
    lexer: Lexer<'static, R>,
    body: Body,
    batch: u32,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Start,
    Running,
    Done,
}

/// Where the parts of a piece are.
struct Span {
    text: u64,
    text_end: u64,
    batch: u32,
    repeat: u32,
}

impl<R: Read> Splitter<R> {
    /// A splitter for the script that `reader` yields; it buffers for itself.
    pub fn new(reader: R, syntax: &'static Syntax) -> Self {
        Self {
            lexer: Lexer::new(reader, CHUNK, syntax),
            body: Body::new(syntax.bodies),
            batch: 0,
            stage: Stage::Start,
        }
    }

    /// The next statement with what stands around it, or `None` at the end of the script.
    ///
    /// Unlike the iterator it yields empty statements, `COPY … FROM STDIN` and commands of `psql`, and holds comments in memory.
    ///
    /// # Errors
    ///
    /// Where the script cannot be split or read. The pieces until then are the script up to the start of the one that
    /// the error stands in.
    pub fn next_piece(&mut self) -> Result<Option<Piece<'_>>, SplitError> {
        let Some((start, span)) = self.advance(false).map_err(|error| *error)? else {
            return Ok(None);
        };
        let cursor = &self.lexer.cursor;
        let text = |from, to| cursor.text(from, to).map_err(|error| *error);
        Ok(Some(Piece {
            leading: text(start, span.text)?,
            text: text(span.text, span.text_end)?,
            terminator: text(span.text_end, cursor.here())?,
        }))
    }

    fn next_statement(&mut self) -> Scan<Option<Statement>> {
        while let Some((_, span)) = self.advance(true)? {
            if span.text == span.text_end {
                continue;
            }
            let place = self.lexer.cursor.position(span.text);
            let text = self.lexer.cursor.text(span.text, span.text_end)?.to_owned();
            // Cheaper than to look for words in every statement.
            let copies = text
                .get(..4)
                .is_some_and(|word| word.eq_ignore_ascii_case("copy"));
            if copies && copies_from_stdin(&text, self.lexer.syntax) {
                self.stage = Stage::Done;
                return Err(place.error(SplitErrorKind::CopyFromStdin));
            }
            return Ok(Some(Statement {
                text,
                offset: place.offset,
                line: place.line,
                column: place.column,
                batch: span.batch,
                repeat: span.repeat,
            }));
        }
        Ok(None)
    }

    /// The next piece and where it starts. With `discard`, what stands before its text is no longer in memory.
    fn advance(&mut self, discard: bool) -> Scan<Option<(u64, Span)>> {
        self.lexer.cursor.release();
        let start = self.lexer.cursor.here();
        match self.stage {
            Stage::Done => return Ok(None),
            // Anything that fails below leaves nothing to go on with.
            Stage::Start | Stage::Running => {
                let first = self.stage == Stage::Start;
                self.stage = Stage::Done;
                if first {
                    self.lexer.cursor.skip_mark()?;
                }
            }
        }
        let (span, ended) = self.statement(discard)?;
        if ended && self.lexer.cursor.here() == start {
            return Ok(None);
        }
        if !ended {
            self.stage = Stage::Running;
        }
        Ok(Some((start, span)))
    }

    /// Goes behind the end of one statement; says whether the script ended too.
    fn statement(&mut self, discard: bool) -> Scan<(Span, bool)> {
        let syntax = self.lexer.syntax;
        let semicolons = syntax.separator == Separator::Semicolon;
        let batches = syntax.separator == Separator::GoLine;
        self.body.begin(self.lexer.delimiter.is_none());
        self.lexer.discard = discard;
        self.lexer.leading = true;
        let mut text = None;
        let mut text_end = 0;
        let mut line_start = true;
        let mut parentheses = 0_u64;
        let mut opened = 0;
        let mut repeat = 1;
        let ended = loop {
            let token = self.lexer.next()?;
            match token {
                Token::Space { newline } => {
                    line_start = line_start || newline;
                    self.drop_leading();
                    continue;
                }
                Token::Comment => {
                    self.drop_leading();
                    continue;
                }
                Token::End => break true,
                Token::Delimiter => break false,
                Token::Word => {
                    self.lexer.discard = false;
                    if batches
                        && line_start
                        && self.lexer.bytes().eq_ignore_ascii_case(b"go")
                        && let Some(count) = self.lexer.go_line()?
                    {
                        repeat = count;
                        break false;
                    }
                    if text.is_none()
                        && syntax.delimiter_lines
                        && self.lexer.bytes().eq_ignore_ascii_case(b"delimiter")
                        && self.lexer.delimiter_line()?
                    {
                        self.body.begin(self.lexer.delimiter.is_none());
                        self.lexer.discard = discard;
                        self.drop_leading();
                        continue;
                    }
                    if self.body.follows() {
                        self.body.word(self.lexer.bytes());
                    }
                }
                Token::Punct(b';') if semicolons && parentheses == 0 => {
                    let ends = self.body.semicolon();
                    if ends && self.lexer.delimiter.is_none() && !self.lexer.in_code() {
                        break false;
                    }
                }
                Token::Punct(b'(') if syntax.parentheses_group => {
                    if parentheses == 0 {
                        opened = self.lexer.start;
                    }
                    parentheses += 1;
                    self.body.token(token);
                }
                Token::Punct(b')') if syntax.parentheses_group => {
                    parentheses = parentheses.saturating_sub(1);
                    self.body.token(token);
                }
                Token::Punct(b'\\') if syntax.psql && discard && text.is_none() => {
                    return Err(self.lexer.psql_command()?);
                }
                _ => self.body.token(token),
            }
            if text.is_none() {
                text = Some(self.lexer.start);
                self.lexer.discard = false;
                self.lexer.leading = false;
            }
            line_start = false;
            text_end = self.lexer.cursor.here();
            if !self.body.follows()
                && let Some(end) = self.lexer.skip_inert()?
            {
                text_end = end;
            }
        };
        if ended {
            if let Some(start) = text
                && !self.body.is_closed()
            {
                return Err(self.lexer.unterminated(start, Construct::Body));
            }
            if parentheses > 0 {
                return Err(self.lexer.unterminated(opened, Construct::Parenthesis));
            }
        }
        let batch = self.batch;
        if batches && !ended {
            self.batch = self.batch.saturating_add(1);
        }
        let text = text.unwrap_or(self.lexer.start);
        let text_end = text_end.max(text);
        Ok((
            Span {
                text,
                text_end,
                batch,
                repeat,
            },
            ended,
        ))
    }

    /// Before the first token of a statement, lets go of what the iterator does not hand out.
    fn drop_leading(&mut self) {
        if self.lexer.discard {
            self.lexer.cursor.release();
        }
    }
}

impl<R: Read> Iterator for Splitter<R> {
    type Item = Result<Statement, SplitError>;

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
