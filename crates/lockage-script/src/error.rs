//! Why a script cannot be split.

use std::fmt;
use std::io;

/// Why a script cannot be split, and where.
///
/// The place is where the trouble starts: for a literal without an end, its opening quote.
#[derive(Debug)]
#[non_exhaustive]
pub struct SplitError {
    /// What is wrong.
    pub kind: SplitErrorKind,
    /// The byte in the script, from 0, a byte-order mark counted.
    pub offset: u64,
    /// The line, from 1.
    pub line: u32,
    /// The character in the line, from 1, a byte-order mark not counted.
    pub column: u32,
}

/// What is wrong with a script.
#[derive(Debug)]
#[non_exhaustive]
pub enum SplitErrorKind {
    /// Something is opened and the script ends before it is closed.
    Unterminated(Construct),
    /// The script is not UTF-8.
    InvalidUtf8 {
        /// Whether it starts like UTF-16, as some editors on Windows save it.
        utf16: bool,
    },
    /// A `GO` line holds something else than a count from 1.
    BadGo {
        /// What stands after `GO`.
        found: String,
    },
    /// A `DELIMITER` line names no delimiter that could be used.
    BadDelimiter {
        /// What stands after `DELIMITER`; empty where nothing does.
        found: String,
    },
    /// `COPY … FROM STDIN`: the lines after it are data for a client, not SQL.
    CopyFromStdin,
    /// A line for `psql`, such as `\connect`, where a statement would start.
    PsqlCommand {
        /// Its first word.
        found: String,
    },
    /// The script cannot be read.
    Io(io::Error),
}

/// Something that is opened and must be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Construct {
    /// `'…'`, and `"…"` where that is a string.
    String,
    /// `$tag$ … $tag$`.
    DollarQuoted,
    /// `"…"`, `` `…` `` or `[…]`.
    Identifier,
    /// `/* … */`.
    Comment,
    /// `/*! … */`.
    VersionedComment,
    /// `( … )`.
    Parenthesis,
    /// The statements up to the `END` of a trigger or routine.
    Body,
}

impl fmt::Display for Construct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "string literal",
            Self::DollarQuoted => "dollar-quoted string",
            Self::Identifier => "quoted identifier",
            Self::Comment => "block comment",
            Self::VersionedComment => "versioned comment",
            Self::Parenthesis => "parenthesis",
            Self::Body => "body",
        })
    }
}

impl fmt::Display for SplitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, .. } = self;
        match &self.kind {
            SplitErrorKind::Unterminated(Construct::Body) => write!(
                f,
                "unterminated body: the statement that starts at line {line}, column {column} has no closing END"
            ),
            SplitErrorKind::Unterminated(what) => {
                write!(
                    f,
                    "unterminated {what}, opened at line {line}, column {column}"
                )
            }
            SplitErrorKind::InvalidUtf8 { utf16: true } => {
                f.write_str("the script is UTF-16; save it as UTF-8")
            }
            SplitErrorKind::InvalidUtf8 { utf16: false } => {
                write!(
                    f,
                    "invalid UTF-8 at line {line}, column {column} (byte {})",
                    self.offset
                )
            }
            SplitErrorKind::BadGo { found } => {
                write!(
                    f,
                    "GO takes a count from 1 and nothing else, found `{found}` at line {line}, column {column}"
                )
            }
            SplitErrorKind::BadDelimiter { found } if found.is_empty() => {
                write!(
                    f,
                    "DELIMITER without a delimiter at line {line}, column {column}"
                )
            }
            SplitErrorKind::BadDelimiter { found } => {
                write!(
                    f,
                    "a delimiter cannot hold a backslash, found `{found}` at line {line}, column {column}"
                )
            }
            SplitErrorKind::CopyFromStdin => write!(
                f,
                "COPY FROM STDIN at line {line}, column {column}: data in a script is not supported, use INSERT"
            ),
            SplitErrorKind::PsqlCommand { found } => write!(
                f,
                "`{found}` at line {line}, column {column} is a command of psql, not SQL; leave it out"
            ),
            SplitErrorKind::Io(error) => write!(f, "cannot read the script: {error}"),
        }
    }
}

impl std::error::Error for SplitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            SplitErrorKind::Io(error) => Some(error),
            _ => None,
        }
    }
}
