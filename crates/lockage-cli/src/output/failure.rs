//! The error of a command, with its context.

use lockage::RunError;

use super::run_kind::RunKind;

/// The error of a command. Database and lock are `None` if the error occurred before they were known.
pub(crate) struct CommandFailure {
    /// The error, with the report of the run if one started.
    pub(crate) error: RunError,
    pub(crate) database: Option<String>,
    pub(crate) lock: Option<String>,
    pub(crate) kind: RunKind,
}
