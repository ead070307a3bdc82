//! Maps the driver's errors to error kinds.

use lockage_core::{Error, ErrorKind, Status};
use lockage_sql::{CommandError, ErrorPosition, FailureCause};
use rsfbclient_core::FbError;

/// Converts an error of the driver.
pub(crate) fn command_error(error: FbError) -> CommandError {
    let (kind, cause) = match &error {
        FbError::Sql { msg, .. } => classify(msg),
        // The position in the protocol stream is unknown, so the session cannot continue.
        FbError::Io(_) | FbError::Other(_) => (ErrorKind::SessionLost, FailureCause::Other),
    };
    let message = match &error {
        FbError::Sql { msg, .. } => msg.split_whitespace().collect::<Vec<_>>().join(" "),
        other => format!("the connection to the server failed: {other}"),
    };
    let position = error_line(&message).map(ErrorPosition::Line);
    let mut converted = Error::new(kind, message);
    if cause == FailureCause::LockTimeout {
        converted = converted.with_status(Status::Temporary);
    }
    CommandError::new(0, converted.with_source(error))
        .with_cause(cause)
        .with_position(position)
}

/// Converts an error of the driver outside a command.
pub(crate) fn into_error(error: FbError) -> Error {
    command_error(error).into()
}

/// Classifies a message of the server. The driver drops the server's error codes except for the SQLCODE, which is too coarse.
fn classify(message: &str) -> (ErrorKind, FailureCause) {
    let contains = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    if contains(&[
        "connection shutdown",
        "connection lost",
        "Connection is killed",
        "Error reading data from the connection",
    ]) {
        (ErrorKind::SessionLost, FailureCause::Other)
    } else if contains(&["operation was cancelled"]) {
        (ErrorKind::Interrupted, FailureCause::Other)
    } else if contains(&["Table unknown"]) {
        (ErrorKind::MigrationFailed, FailureCause::MissingTable)
    } else if contains(&["lock conflict", "lock time-out", "deadlock", "is in use"]) {
        (ErrorKind::MigrationFailed, FailureCause::LockTimeout)
    } else {
        (ErrorKind::MigrationFailed, FailureCause::Other)
    }
}

/// Returns whether a statement failed because of another session that holds the lock or creates the table of the locks.
pub(crate) fn is_conflict(error: &FbError) -> bool {
    const TEXTS: [&str; 8] = [
        "lock conflict",
        "deadlock",
        "update conflicts",
        "violation of PRIMARY or UNIQUE KEY",
        "duplicate value",
        "cannot create index",
        "already exists",
        "is in use",
    ];
    matches!(error, FbError::Sql { msg, .. } if TEXTS.iter().any(|text| msg.contains(text)))
}

fn error_line(message: &str) -> Option<u32> {
    let after = message.split_once("At line ")?.1;
    after.split(',').next()?.trim().parse().ok()
}
