use lockage_core::{Error, ErrorKind};

use crate::FailureCause;

/// What is known of some of an engine's error numbers. An engine keeps a table of these.
#[derive(Debug)]
pub struct KnownError {
    numbers: &'static [u32],
    kind: ErrorKind,
    cause: FailureCause,
    retryable: bool,
    hint: Option<&'static str>,
}

impl KnownError {
    /// Numbers that stand for one kind of error.
    pub const fn new(numbers: &'static [u32], kind: ErrorKind) -> Self {
        Self {
            numbers,
            kind,
            cause: FailureCause::Other,
            retryable: false,
            hint: None,
        }
    }

    /// With the cause that the SQL layer acts on.
    #[must_use]
    pub const fn with_cause(self, cause: FailureCause) -> Self {
        Self { cause, ..self }
    }

    /// The same call may succeed later, with nothing changed.
    #[must_use]
    pub const fn retryable(self) -> Self {
        Self {
            retryable: true,
            ..self
        }
    }

    /// With what the user can do about it.
    #[must_use]
    pub const fn with_hint(self, hint: &'static str) -> Self {
        Self {
            hint: Some(hint),
            ..self
        }
    }

    /// Looks a number up. What no row has is a statement that failed.
    pub fn find(table: &'static [Self], number: u32) -> &'static Self {
        const OTHER: &KnownError = &KnownError::new(&[], ErrorKind::MigrationFailed);
        table
            .iter()
            .find(|known| known.numbers.contains(&number))
            .unwrap_or(OTHER)
    }

    /// The numbers of this row.
    pub fn numbers(&self) -> &'static [u32] {
        self.numbers
    }

    /// The cause that the SQL layer acts on.
    pub fn cause(&self) -> FailureCause {
        self.cause
    }

    /// Whether the same call may succeed later.
    pub fn is_temporary(&self) -> bool {
        self.retryable
    }

    /// The error of this row, with the server's message.
    pub fn error(&self, message: impl Into<String>) -> Error {
        let mut error = Error::new(self.kind, message);
        if let Some(hint) = self.hint {
            error = error.with_hint(hint);
        }
        if self.retryable {
            error = error.with_status(Status::Temporary);
        }
        error
    }
}
