//! Maps SQL Server's error numbers to error kinds.

use lockage_core::{Error, ErrorKind, Status};
use lockage_sql::{CommandError, ErrorPosition, FailureCause, KnownError};
use tiberius::error::{Error as DriverError, TokenError};

use ErrorKind::{Connect, MigrationFailed, SessionLost, Unexpected, Unsupported};

const fn entry(numbers: &'static [u32], kind: ErrorKind) -> KnownError {
    KnownError::new(numbers, kind)
}

/// The error numbers with a meaning. Any other number means that a statement failed.
const TABLE: &[KnownError] = &[
    entry(&[18452, 18456, 18470, 18486, 18487, 18488], Connect).with_hint("check user and password"),
    // The database does not exist, or this login has no access: the server does not report which.
    entry(&[4060, 911, 916], Connect).with_hint(
        "create the database, or create it with --create (ConnectOptions::create), or add the login as a user of the database",
    ),
    entry(&[40914, 40615], Connect).with_hint("allow this client's address in the server's firewall"),
    // Azure SQL is moving the database, is overloaded or is out of a resource; a database is starting, stopping or recovering.
    entry(
        &[615, 921, 922, 4221, 10928, 10929, 10936, 17197, 40143, 40197, 40501, 40540, 40613, 42108, 42109, 49918, 49919, 49920],
        Connect,
    )
    .with_status(Status::Temporary),
    // Session killed; server shutting down.
    entry(&[596, 6005, 6006, 17188, 17148], SessionLost).with_status(Status::Temporary),
    entry(&[208], MigrationFailed).with_cause(FailureCause::MissingTable),
    // Lock request timed out; deadlock victim; snapshot conflicts.
    entry(&[1222, 1205, 3960, 3961], MigrationFailed).with_cause(FailureCause::LockTimeout),
    entry(&[226, 574, 3021, 3023, 5069, 12321, 15002, 40508], MigrationFailed).with_hint(
        "if the statement is rejected only inside a transaction, add `-- lockage: no-transaction` at the head of the file",
    ),
    entry(&[229, 230, 262, 297, 300, 371, 378, 2760, 3701, 15247], MigrationFailed)
        .with_hint("the user may lack a permission; see sys.fn_my_permissions"),
    entry(&[978, 976, 3906, 3908, 3909], MigrationFailed)
        .with_hint("the database is read-only; check that this is not a read-only replica"),
    entry(&[1101, 1105, 9002, 701, 802, 8645, 40544], MigrationFailed)
        .with_hint("the server is out of disk space, log space or memory; free some and run again"),
    entry(&[3930, 3998, 3931], MigrationFailed)
        .with_hint("the script caught an earlier error that had made the transaction uncommittable"),
];

/// The number that Babelfish reports for an error without a number in SQL Server. The message is PostgreSQL's.
const BABELFISH_UNMAPPED: u32 = 33_557_097;

/// Returns whether a login failed because its database does not exist or is not accessible to this login.
pub(crate) fn is_database_missing(error: &DriverError) -> bool {
    match error {
        DriverError::Server(server) => matches!(effective_number(server), 4060 | 911),
        _ => false,
    }
}

/// Converts an error of the driver for a command of a batch. `sql` is the text of the command if it belongs to a script.
pub(crate) fn command_error(command: usize, sql: Option<&str>, error: DriverError) -> CommandError {
    let position = sql.and_then(|sql| error_position(sql, &error));
    let (cause, error) = classify(error);
    CommandError::new(command, error)
        .with_cause(cause)
        .with_position(position)
}

/// Converts an error of the driver.
pub(crate) fn into_error(error: DriverError) -> Error {
    classify(error).1
}

/// Returns SQL Server's number of an error, also for messages that Babelfish passes through from PostgreSQL.
fn effective_number(server: &TokenError) -> u32 {
    if server.code() != BABELFISH_UNMAPPED {
        return server.code();
    }
    match server.message() {
        "canceling statement due to lock timeout" => 1222,
        "deadlock detected" => 1205,
        message if message.starts_with("Cannot open database ") => 4060,
        message if message.starts_with("relation ") && message.ends_with("does not exist") => 208,
        _ => BABELFISH_UNMAPPED,
    }
}

fn classify(error: DriverError) -> (FailureCause, Error) {
    let (kind, message) = match &error {
        DriverError::Server(server) => {
            let (cause, classified) = classify_server_error(server);
            return (cause, classified.with_source(error));
        }
        DriverError::Io { message, .. } => {
            (SessionLost, format!("the connection broke: {message}"))
        }
        // The position of the next message in the stream is unknown, so the session cannot continue.
        DriverError::Protocol(_) => (
            SessionLost,
            format!("the server's reply violates the protocol: {error}"),
        ),
        DriverError::Encoding(_) | DriverError::Utf8 | DriverError::Utf16 => (
            Unsupported,
            format!("the driver cannot decode the server's reply: {error}"),
        ),
        _ => (Unexpected, error.to_string()),
    };
    let mut classified = Error::new(kind, message);
    if kind == SessionLost {
        classified = classified.with_status(Status::Temporary);
    }
    (FailureCause::Other, classified.with_source(error))
}

fn classify_server_error(server: &TokenError) -> (FailureCause, Error) {
    let known = KnownError::find(TABLE, effective_number(server));
    let mut error = known
        .error(server.message())
        .with_context("sqlserver_error", server.code().to_string())
        .with_context("severity", server.class().to_string());
    if !server.procedure().is_empty() {
        let procedure = format!("{}, line {}", server.procedure(), server.line());
        error = error.with_context("procedure", procedure);
    }
    (known.cause(), error)
}

/// Returns the line of a batch in which it failed.
///
/// The server counts lines within a called procedure. While a batch creates a procedure, it counts lines within the batch.
fn error_position(sql: &str, error: &DriverError) -> Option<ErrorPosition> {
    let DriverError::Server(server) = error else {
        return None;
    };
    let creates_object = || {
        let words = lockage_sql::script::leading_words(sql, &lockage_sql::script::SQLSERVER, 1);
        words.iter().any(|word| word == "CREATE" || word == "ALTER")
    };
    let lines = u32::try_from(sql.lines().count()).unwrap_or(u32::MAX);
    let is_within_batch = (1..=lines).contains(&server.line());
    (is_within_batch && (server.procedure().is_empty() || creates_object()))
        .then(|| ErrorPosition::Line(server.line()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_table_numbers_are_unique() {
        let mut numbers: Vec<u32> = TABLE
            .iter()
            .flat_map(KnownError::numbers)
            .copied()
            .collect();
        numbers.sort_unstable();
        assert!(
            numbers.windows(2).all(|pair| pair[0] != pair[1]),
            "{numbers:?}"
        );
    }

    #[test]
    fn broken_connection_is_a_lost_session() {
        let broken = into_error(DriverError::Io {
            kind: std::io::ErrorKind::UnexpectedEof,
            message: "early eof".into(),
        });
        assert_eq!(broken.kind(), SessionLost);
        assert!(broken.is_temporary());
        let invalid = into_error(DriverError::Protocol("invalid token".into()));
        assert_eq!(invalid.kind(), SessionLost);
        assert!(invalid.is_temporary());
    }
}
