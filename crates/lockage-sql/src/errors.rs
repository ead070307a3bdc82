//! Errors that several engines report in the same words.

use std::time::Duration;

use lockage_core::{Error, ErrorKind};

/// Returns the error of a statement that Lockage cancelled because the run was interrupted.
pub fn cancelled_error() -> Error {
    Error::new(ErrorKind::Interrupted, "the statement was interrupted")
}

/// Returns the error of a statement that Lockage cancelled after its statement timeout.
pub fn timeout_error(timeout: Duration) -> Error {
    Error::new(
        ErrorKind::MigrationFailed,
        format!(
            "the statement ran longer than its statement timeout of {timeout:?} and was cancelled"
        ),
    )
    .with_hint("allow more time with `-- lockage: statement-timeout=10m` or --statement-timeout")
}

/// Returns the error of a lock that this session does not hold.
pub fn lock_not_held_error(key: &lockage_core::LockKey) -> Error {
    Error::new(
        ErrorKind::LockLost,
        format!("this session did not hold the lock {key}"),
    )
}
