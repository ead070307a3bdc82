//! Classifies errors of SQLite by their result codes.

use lockage_core::{Error, ErrorKind, Status};
use lockage_sql::{CommandError, ErrorPosition, FailureCause};
use rusqlite::ffi::{self, ErrorCode, SQLITE_READONLY_DIRECTORY};

/// Returns whether another connection uses the database.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code().is_some_and(is_busy_code)
}

fn is_busy_code(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
}

/// Classifies the error of an internal command.
pub(crate) fn command_failure(error: rusqlite::Error) -> CommandError {
    classify(error, ErrorKind::Connect)
}

/// Classifies the error of a script's statement. A file that the script attaches and that cannot be opened is a mistake of the
/// script.
pub(crate) fn script_failure(error: rusqlite::Error) -> CommandError {
    classify(error, ErrorKind::MigrationFailed)
}

/// Classifies an error. A file that cannot be opened gets the kind `cannot_open`.
fn classify(source: rusqlite::Error, cannot_open: ErrorKind) -> CommandError {
    let (code, message, offset) = match &source {
        rusqlite::Error::SqliteFailure(code, message) => (Some(*code), message.clone(), None),
        rusqlite::Error::SqlInputError {
            error, msg, offset, ..
        } => (
            Some(*error),
            Some(msg.clone()),
            usize::try_from(*offset).ok(),
        ),
        _ => (None, None, None),
    };
    let message = message.unwrap_or_else(|| source.to_string());
    let cause = if code.is_some_and(|code| is_busy_code(code.code)) {
        FailureCause::LockTimeout
    } else if message.starts_with("no such table") {
        FailureCause::MissingTable
    } else {
        FailureCause::Other
    };
    let error = match code {
        Some(code) => error_for_code(code, message, cannot_open)
            .with_context("sqlite_code", code.extended_code.to_string()),
        None => Error::new(ErrorKind::MigrationFailed, message),
    };
    CommandError::new(0, error.with_source(source))
        .with_cause(cause)
        .with_position(offset.map(ErrorPosition::Byte))
}

fn error_for_code(code: ffi::Error, message: String, cannot_open: ErrorKind) -> Error {
    match code.code {
        busy if is_busy_code(busy) => Error::new(
            ErrorKind::Unexpected,
            format!("the database is in use: {message}"),
        )
        .with_status(Status::Temporary),
        ErrorCode::NotADatabase => Error::new(cannot_open, "the file is not an SQLite database"),
        ErrorCode::CannotOpen => {
            Error::new(cannot_open, format!("cannot open the database: {message}")).with_hint(
                "SQLite needs read access to the file, and write access to its folder if it keeps a journal or a WAL there",
            )
        }
        ErrorCode::ReadOnly if code.extended_code == SQLITE_READONLY_DIRECTORY => {
            Error::new(cannot_open, "the folder of the database is not writable").with_hint(
                "grant the user write access to the folder: SQLite keeps a journal or a WAL there, even to read the database",
            )
        }
        ErrorCode::ReadOnly => Error::new(ErrorKind::MigrationFailed, "the database is read-only")
            .with_hint("grant the migrating user write access to the file and its folder"),
        ErrorCode::DiskFull => Error::new(ErrorKind::MigrationFailed, "the disk is full")
            .with_hint("free disk space and run again; uncommitted changes are rolled back"),
        _ => Error::new(ErrorKind::MigrationFailed, message),
    }
}
