//! From SQLite's result codes to kinds.

use lockage_core::{Error, ErrorKind};
use lockage_sql::{FailureCause, CommandError, ErrorPosition};
use rusqlite::ffi::{ErrorCode, SQLITE_READONLY_DIRECTORY};

/// Whether somebody else is writing.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

/// Judges an error of rusqlite. `piece` is the index of what failed.
pub(crate) fn failure(piece: usize, error: rusqlite::Error) -> CommandError {
    judge(piece, error, ErrorKind::Connect)
}

/// Judges the error of a script's statement: a file that it attaches and that cannot be opened is the script's business.
pub(crate) fn failure_of_script(piece: usize, error: rusqlite::Error) -> CommandError {
    judge(piece, error, ErrorKind::MigrationFailed)
}

fn judge(piece: usize, error: rusqlite::Error, unusable: ErrorKind) -> CommandError {
    let (code, message, offset) = match &error {
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
    let message = message.unwrap_or_else(|| error.to_string());
    let cause = match code.map(|code| code.code) {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => FailureCause::LockTimeout,
        _ if message.starts_with("no such table") => FailureCause::MissingTable,
        _ => FailureCause::Other,
    };
    let made = match code.map(|code| code.code) {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::new(
            ErrorKind::Unexpected,
            format!("the database is in use: {message}"),
        )
        .with_status(Status::Temporary),
        Some(ErrorCode::NotADatabase) => {
            Error::new(unusable, "the file is not an SQLite database")
        }
        Some(ErrorCode::CannotOpen) => {
            Error::new(unusable, format!("cannot open the database: {message}")).with_hint(
                "SQLite needs the right to read the file and, where it keeps a journal or a WAL beside it, to write the folder",
            )
        }
        Some(ErrorCode::ReadOnly)
            if code.is_some_and(|code| code.extended_code == SQLITE_READONLY_DIRECTORY) =>
        {
            Error::new(unusable, "the folder of the database may not be written")
                .with_hint("SQLite keeps a journal or a WAL beside the file, even to read it: give the user the right to write the folder")
        }
        Some(ErrorCode::ReadOnly) => {
            Error::new(ErrorKind::MigrationFailed, "the database is read-only")
                .with_hint("give the user that migrates the right to write the file and its folder")
        }
        Some(ErrorCode::DiskFull) => Error::new(ErrorKind::MigrationFailed, "the disk is full")
            .with_hint("make room and run again; what was not committed is rolled back"),
        _ => Error::new(ErrorKind::MigrationFailed, message),
    };
    let made = match code {
        Some(code) => made.with_context("sqlite_code", code.extended_code.to_string()),
        None => made,
    };
    CommandError {
        piece,
        place: offset.map(ErrorPosition::Byte),
        cause,
        error: made.with_source(error),
    }
}
