use lockage_core::{Error, ErrorKind};
use lockage_sql::{FailureCause, CommandError, ErrorPosition};
use rsfbclient_core::FbError;

/// What the driver tells: it drops the server's numbers but for the SQLCODE, which says little, so these go by the server's texts.
pub(crate) fn failure(piece: usize, error: FbError) -> CommandError {
    let (kind, cause) = match &error {
        FbError::Sql { msg, .. } => classify(msg),
        // The stream is out of step, or gone.
        FbError::Io(_) | FbError::Other(_) => (ErrorKind::SessionLost, FailureCause::Other),
    };
    let message = match &error {
        FbError::Sql { msg, .. } => msg.split_whitespace().collect::<Vec<_>>().join(" "),
        other => format!("the connection to the server failed: {other}"),
    };
    let place = line(&message).map(ErrorPosition::Line);
    let mut made = Error::new(kind, message);
    if cause == FailureCause::LockTimeout {
        made = made.with_status(Status::Temporary);
    }
    CommandError {
        piece,
        place,
        cause,
        error: made.with_source(error),
    }
}

fn classify(message: &str) -> (ErrorKind, FailureCause) {
    let says = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    if says(&[
        "connection shutdown",
        "connection lost",
        "Connection is killed",
        "Error reading data from the connection",
    ]) {
        (ErrorKind::SessionLost, FailureCause::Other)
    } else if says(&["operation was cancelled"]) {
        (ErrorKind::Interrupted, FailureCause::Other)
    } else if says(&["Table unknown"]) {
        (ErrorKind::MigrationFailed, FailureCause::MissingTable)
    } else if says(&["lock conflict", "lock time-out", "deadlock", "is in use"]) {
        (ErrorKind::MigrationFailed, FailureCause::LockTimeout)
    } else {
        (ErrorKind::MigrationFailed, FailureCause::Other)
    }
}

/// Whether somebody else's transaction stands in the way: one that holds the lock, or one that makes the table of the locks too.
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

fn line(message: &str) -> Option<u32> {
    let digits = message.split_once("At line ")?.1;
    digits.split(',').next()?.trim().parse().ok()
}
