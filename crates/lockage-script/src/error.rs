//! The error of a script that cannot be split.

use std::fmt;
use std::io;

/// The reason why a script cannot be split, and its position.
///
/// The position is where the faulty construct starts: for an unterminated literal, its opening quote.
#[derive(Debug)]
#[non_exhaustive]
pub struct SplitError {
    /// The reason.
    pub kind: SplitErrorKind,
    /// The byte in the script, from 0. A byte-order mark counts.
    pub offset: u64,
    /// The line, from 1.
    pub line: u32,
    /// The character in the line, from 1. A byte-order mark does not count.
    pub column: u32,
}

/// The reason why a script cannot be split.
#[derive(Debug)]
#[non_exhaustive]
pub enum SplitErrorKind {
    /// The script ends before a construct is closed.
    Unterminated(Construct),
    /// The script is not UTF-8.
    InvalidUtf8 {
        /// Whether it starts like UTF-16, in which some editors on Windows save files.
        utf16: bool,
    },
    /// A `GO` line contains more than a count of at least 1.
    BadGo {
        /// The text after `GO`.
        found: String,
    },
    /// A `DELIMITER` line names no usable delimiter.
    BadDelimiter {
        /// The delimiter, or an empty text if the line names none.
        found: String,
    },
    /// `COPY … FROM STDIN`: the lines after it are data for a client, not SQL.
    CopyFromStdin,
    /// A psql command, such as `\connect`, at the start of a statement.
    PsqlCommand {
        /// Its first word.
        found: String,
    },
    /// The script cannot be read.
    Io(io::Error),
}

/// A construct that is opened and must be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Construct {
    /// `'…'`, and `"…"` in dialects where that is a string.
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
        let Self {
            kind,
            offset,
            line,
            column,
        } = self;
        match kind {
            SplitErrorKind::Unterminated(Construct::Body) => write!(
                f,
                "unterminated body: the statement that starts at line {line}, column {column} has no closing END"
            ),
            SplitErrorKind::Unterminated(construct) => write!(
                f,
                "unterminated {construct}, opened at line {line}, column {column}"
            ),
            SplitErrorKind::InvalidUtf8 { utf16: true } => {
                f.write_str("the script is UTF-16; save it as UTF-8")
            }
            SplitErrorKind::InvalidUtf8 { utf16: false } => write!(
                f,
                "invalid UTF-8 at line {line}, column {column} (byte {offset})"
            ),
            SplitErrorKind::BadGo { found } => write!(
                f,
                "invalid GO line at line {line}, column {column}: expected a count of at least 1 or nothing, found `{found}`"
            ),
            SplitErrorKind::BadDelimiter { found } if found.is_empty() => write!(
                f,
                "DELIMITER without a delimiter at line {line}, column {column}"
            ),
            SplitErrorKind::BadDelimiter { found } => write!(
                f,
                "invalid delimiter `{found}` at line {line}, column {column}: it must not contain a backslash"
            ),
            SplitErrorKind::CopyFromStdin => write!(
                f,
                "COPY FROM STDIN at line {line}, column {column}: data in a script is not supported; use INSERT"
            ),
            SplitErrorKind::PsqlCommand { found } => write!(
                f,
                "`{found}` at line {line}, column {column} is a psql command, not SQL; remove it"
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
