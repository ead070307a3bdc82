//! The type [`KnownError`]: what an engine's error numbers mean.

use lockage_core::{Error, ErrorKind, Status};

use crate::command::FailureCause;

/// The meaning of one or more error numbers of an engine. Each engine has a constant table of these.
#[derive(Debug)]
pub struct KnownError {
    numbers: &'static [u32],
    kind: ErrorKind,
    cause: FailureCause,
    status: Status,
    hint: Option<&'static str>,
}

/// The meaning of a number that no table has: a statement of a migration failed.
const UNKNOWN_ERROR: &KnownError = &KnownError::new(&[], ErrorKind::MigrationFailed);

impl KnownError {
    /// Creates an entry for numbers of one kind.
    pub const fn new(numbers: &'static [u32], kind: ErrorKind) -> Self {
        Self {
            numbers,
            kind,
            cause: FailureCause::Other,
            status: Status::Permanent,
            hint: None,
        }
    }

    /// Sets the cause that the SQL layer reacts to.
    #[must_use]
    pub const fn with_cause(self, cause: FailureCause) -> Self {
        Self { cause, ..self }
    }

    /// Sets the status of the error.
    #[must_use]
    pub const fn with_status(self, status: Status) -> Self {
        Self { status, ..self }
    }

    /// Sets what the user can do about it.
    #[must_use]
    pub const fn with_hint(self, hint: &'static str) -> Self {
        Self {
            hint: Some(hint),
            ..self
        }
    }

    /// Returns the entry of a number. A number that the table does not have is a statement that failed.
    pub fn find(table: &'static [Self], number: u32) -> &'static Self {
        table
            .iter()
            .find(|known| known.numbers.contains(&number))
            .unwrap_or(UNKNOWN_ERROR)
    }

    /// Returns the numbers of this entry.
    pub fn numbers(&self) -> &'static [u32] {
        self.numbers
    }

    /// Returns the cause that the SQL layer reacts to.
    pub fn cause(&self) -> FailureCause {
        self.cause
    }

    /// Returns the status of the error.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Returns the error of this entry with the server's message.
    pub fn error(&self, message: impl Into<String>) -> Error {
        let error = Error::new(self.kind, message);
        // A kind can be temporary by itself; a permanent entry does not change that.
        let error = match self.status {
            Status::Permanent => error,
            status => error.with_status(status),
        };
        match self.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}
