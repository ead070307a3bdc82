//! Commands that the SQL layer sends to a server, and how they fail.

use std::borrow::Cow;

use lockage_core::{Error, ErrorKind, LockKey};

/// One row of a query result, every value as text; `None` for NULL.
pub type Row = Vec<Option<String>>;

/// One command of a batch; see [`Connection::execute`](crate::Connection::execute).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Command<'a> {
    /// A statement of Lockage itself.
    Internal(Cow<'a, str>),
    /// A statement of a migration script.
    Script(&'a str),
    /// An SQL condition. When it is false, the batch stops and fails with the error.
    Assert(String, AssertionError),
}

impl Command<'_> {
    /// Returns an internal command that owns its text.
    pub fn internal(sql: impl Into<String>) -> Self {
        Self::Internal(Cow::Owned(sql.into()))
    }
}

/// The error of a [`Command::Assert`] whose condition is false.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AssertionError {
    /// The kind of the error.
    pub kind: ErrorKind,
    /// Its message.
    pub message: String,
}

impl AssertionError {
    /// Creates an assertion error.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// The session no longer holds the lock.
    pub(crate) fn lock_lost(key: &LockKey) -> Self {
        Self::new(
            ErrorKind::LockLost,
            format!("this session no longer holds the lock {key}; nothing more was written"),
        )
    }
}

impl From<AssertionError> for Error {
    fn from(assertion: AssertionError) -> Self {
        Self::new(assertion.kind, assertion.message)
    }
}

/// Why a command failed. The SQL layer reacts only to the causes that have a variant of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureCause {
    /// The table, schema or database that it reads does not exist.
    MissingTable,
    /// A lock of another session was not released in time, or a deadlock was resolved against this session. The command may be
    /// retried.
    LockTimeout,
    /// Anything else.
    Other,
}

/// The position of an error inside a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorPosition {
    /// A byte offset, from zero.
    Byte(usize),
    /// A line, from one.
    Line(u32),
}

/// A command that failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct CommandError {
    /// The index of the command in its batch.
    pub command: usize,
    /// The position inside the command, if the server reports one.
    pub position: Option<ErrorPosition>,
    /// The cause.
    pub cause: FailureCause,
    /// The error, without a location.
    pub error: Error,
}

impl CommandError {
    /// Creates an error with the cause [`FailureCause::Other`] and without a position.
    pub fn new(command: usize, error: Error) -> Self {
        Self {
            command,
            position: None,
            cause: FailureCause::Other,
            error,
        }
    }

    /// Sets the cause.
    #[must_use]
    pub fn with_cause(self, cause: FailureCause) -> Self {
        Self { cause, ..self }
    }

    /// Sets the position.
    #[must_use]
    pub fn with_position(self, position: Option<ErrorPosition>) -> Self {
        Self { position, ..self }
    }

    /// Sets the index of the command.
    #[must_use]
    pub fn at_command(self, command: usize) -> Self {
        Self { command, ..self }
    }

    /// Replaces the error; index, position and cause stay.
    #[must_use]
    pub fn map_error(self, change: impl FnOnce(Error) -> Error) -> Self {
        Self {
            error: change(self.error),
            ..self
        }
    }
}

impl From<CommandError> for Error {
    fn from(failure: CommandError) -> Self {
        failure.error
    }
}

/// A message that the server sent while commands ran.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notice {
    /// The severity as the server names it: `NOTICE`, `WARNING`.
    pub severity: String,
    /// The text.
    pub message: String,
}

impl Notice {
    /// Creates a notice.
    pub fn new(severity: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: severity.into(),
            message: message.into(),
        }
    }
}
