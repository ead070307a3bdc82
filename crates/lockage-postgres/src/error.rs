//! Classifies errors of the server and of the driver: SQLSTATE to error kind, cause, status and hint.

use std::error::Error as _;
use std::io;

use lockage_core::{Error, ErrorKind, Status};
use lockage_sql::{CommandError, FailureCause};
use tokio_postgres::error::{DbError, ErrorPosition, Severity};

const RUN_AGAIN: &str = "run again; uncommitted changes are rolled back";

/// What Lockage knows about an SQLSTATE.
struct ErrorMapping {
    /// `None` for the kind that the caller expects.
    kind: Option<ErrorKind>,
    cause: FailureCause,
    /// Precedes the server's message.
    prefix: Option<&'static str>,
    hint: Option<&'static str>,
}

const fn unknown() -> ErrorMapping {
    ErrorMapping {
        kind: None,
        cause: FailureCause::Other,
        prefix: None,
        hint: None,
    }
}

const fn with_cause(cause: FailureCause) -> ErrorMapping {
    ErrorMapping { cause, ..unknown() }
}

const fn with_hint(hint: &'static str) -> ErrorMapping {
    ErrorMapping {
        hint: Some(hint),
        ..unknown()
    }
}

const fn session_lost() -> ErrorMapping {
    ErrorMapping {
        kind: Some(ErrorKind::SessionLost),
        cause: FailureCause::Other,
        prefix: Some("the server ended the session"),
        hint: Some(RUN_AGAIN),
    }
}

fn mapping_for(code: &str) -> ErrorMapping {
    match code {
        // lock_not_available, deadlock_detected, serialization_failure
        "55P03" | "40P01" | "40001" => with_cause(FailureCause::LockTimeout),
        // undefined_table, invalid_schema_name
        "42P01" | "3F000" => with_cause(FailureCause::MissingTable),
        // insufficient_privilege
        "42501" => with_hint(
            "the migrating user needs CREATE on the schema, ownership of the tables that it changes, and SELECT, INSERT, UPDATE and \
             DELETE on lockage_history and lockage_journal",
        ),
        // read_only_sql_transaction
        "25006" => with_hint(
            "remove READ ONLY or default_transaction_read_only from the script; if the server became a standby, connect to the primary",
        ),
        // disk_full
        "53100" => ErrorMapping {
            prefix: Some("the disk of the server is full"),
            ..with_hint("free disk space and run again; uncommitted changes are rolled back")
        },
        // active_sql_transaction
        "25001" => with_hint(
            "a statement that cannot run in a transaction needs `-- lockage: no-transaction` at the top of its file",
        ),
        // invalid_transaction_termination
        "2D000" => with_hint(
            "a block or procedure that commits needs `-- lockage: no-transaction` at the top of its file",
        ),
        // query_canceled
        "57014" => with_hint(
            "raise the limit with `-- lockage: statement-timeout=10m` at the top of the file or --statement-timeout; if no limit was \
             set, another session cancelled the statement",
        ),
        // connection exceptions; admin_shutdown, crash_shutdown, database_dropped, idle_session_timeout,
        // idle_in_transaction_session_timeout
        _ if code.starts_with("08") => session_lost(),
        "57P01" | "57P02" | "57P04" | "57P05" | "25P03" => session_lost(),
        _ => unknown(),
    }
}

/// Classifies the error of a query. `cancelled`: Lockage requested the cancellation. `kind`: the kind if the SQLSTATE determines
/// none.
pub(crate) fn command_error(
    command: usize,
    error: tokio_postgres::Error,
    cancelled: bool,
    kind: ErrorKind,
) -> CommandError {
    let Some(db) = error.as_db_error() else {
        return CommandError::new(command, from_driver(error));
    };
    let code = db.code().code().to_owned();
    let fatal = matches!(
        db.parsed_severity(),
        Some(Severity::Fatal | Severity::Panic)
    );
    let mapping = match &*code {
        "57014" if cancelled => ErrorMapping {
            kind: Some(ErrorKind::Interrupted),
            ..unknown()
        },
        code if fatal && code != "57014" => session_lost(),
        code => mapping_for(code),
    };
    let message = match mapping.prefix {
        Some(prefix) => format!("{prefix}: {}", db.message()),
        None => db.message().to_owned(),
    };
    let mut classified = Error::new(mapping.kind.unwrap_or(kind), message);
    if let Some(hint) = mapping.hint.or(db.hint()) {
        classified = classified.with_hint(hint);
    }
    // connection exceptions, crash_shutdown, cannot_connect_now
    if code.starts_with("08") && code != "08P01" || matches!(&*code, "57P02" | "57P03") {
        classified = classified.with_status(Status::ConnectionLost);
    }
    CommandError::new(command, with_details(classified, db)).with_cause(mapping.cause)
}

/// Adds the details of a server error as context. The source is the server's own error: the text of the driver's error is only
/// `db error`.
fn with_details(mut error: Error, db: &DbError) -> Error {
    error = error
        .with_source(db.clone())
        .with_context("sqlstate", db.code().code());
    if let Some(detail) = db.detail() {
        error = error.with_context("detail", detail);
    }
    if let Some(context) = db.where_() {
        error = error.with_context("context", context);
    }
    if let Some(ErrorPosition::Internal { query, .. }) = db.position() {
        error = error.with_context("query", query.as_str());
    }
    error
}

/// Classifies an error that the server did not send.
fn from_driver(error: tokio_postgres::Error) -> Error {
    let message = format_chain(&error);
    if error.is_closed() || find_io_error(&error).is_some() {
        Error::new(
            ErrorKind::SessionLost,
            format!("the connection to the server was lost: {message}"),
        )
        .with_hint(RUN_AGAIN)
        .with_status(Status::ConnectionLost)
        .with_source(error)
    } else {
        Error::new(ErrorKind::Unexpected, message).with_source(error)
    }
}

/// Returns the error of an answer that is not text in UTF-8, as a database with the encoding SQL_ASCII can send.
pub(crate) fn unreadable_answer(error: tokio_postgres::Error) -> Error {
    Error::new(
        ErrorKind::Unexpected,
        format!("the answer of the server is not UTF-8: {}", format_chain(&error)),
    )
    .with_hint("a database with the encoding SQL_ASCII stores bytes as they are; correct them, or convert the database to UTF8")
    .with_source(error)
}

/// Classifies an error of connecting.
pub(crate) fn from_connect(error: tokio_postgres::Error, display_url: &str) -> Error {
    let cannot_connect = |reason: &str| {
        Error::new(
            ErrorKind::Connect,
            format!("cannot connect to {display_url}: {reason}"),
        )
    };
    match error.as_db_error() {
        Some(db) => with_details(with_server_advice(cannot_connect(db.message()), db), db),
        None => {
            let message = format_chain(&error);
            with_driver_advice(cannot_connect(&message), &error, &message).with_source(error)
        }
    }
}

/// Adds a hint and a status to a connect error that the server sent.
fn with_server_advice(connect: Error, db: &DbError) -> Error {
    match db.code().code() {
        // invalid_password, invalid_authorization_specification
        "28P01" | "28000" => connect.with_hint(
            "check user and password; the password can be in the URL, in LOCKAGE_PASSWORD, or in a file named with --password-file",
        ),
        // invalid_catalog_name
        "3D000" => connect
            .with_hint("create the database, or use --create (ConnectOptions::create)")
            .with_status(Status::DatabaseMissing),
        // cannot_connect_now
        "57P03" => connect
            .with_hint("the server is starting or stopping")
            .with_status(Status::Temporary),
        // too_many_connections
        "53300" => connect
            .with_hint("raise max_connections, or let the services use fewer connections")
            .with_status(Status::Temporary),
        // insufficient_privilege
        "42501" => connect
            .with_hint("grant the user the privilege to connect: GRANT CONNECT ON DATABASE … TO …"),
        // protocol_violation, which PgBouncer sends
        "08P01" if db.message().contains("startup parameter") => connect.with_hint(
            "a pooler rejects a parameter of the URL: remove `options` from it, or set ignore_startup_parameters in PgBouncer",
        ),
        code if code.starts_with("57P") => connect.with_status(Status::Temporary),
        _ => match db.hint() {
            Some(hint) => connect.with_hint(hint),
            None => connect,
        },
    }
}

/// Adds a hint and a status to a connect error of the driver.
fn with_driver_advice(connect: Error, error: &tokio_postgres::Error, message: &str) -> Error {
    match find_io_error(error) {
        // rustls reports an invalid certificate as an I/O error of this kind.
        Some(io) if io.kind() == io::ErrorKind::InvalidData => connect.with_hint(
            "name the certificate of the server's authority with sslrootcert=<path> in the URL; sslmode=verify-ca does not check the \
             host name, sslmode=require does not check the authority",
        ),
        Some(_) => connect.with_status(Status::Temporary),
        None if error.is_closed() => connect.with_status(Status::Temporary),
        None if message.contains("not support TLS") => connect.with_hint(
            "enable TLS on the server; if the network is trusted, use sslmode=prefer or sslmode=disable",
        ),
        None if message.contains("password missing") => connect.with_hint(
            "put the password into the URL, into LOCKAGE_PASSWORD, or into a file named with --password-file",
        ),
        None => connect,
    }
}

/// Returns an error and its sources in one line: the text of the driver's error omits the sources.
pub(crate) fn format_chain(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn find_io_error(error: &tokio_postgres::Error) -> Option<&io::Error> {
    error.source()?.downcast_ref()
}

/// Returns whether the server cancelled the statement on request.
pub(crate) fn is_cancelled(error: &Error) -> bool {
    sqlstate(error) == Some("57014")
}

/// Returns the SQLSTATE of an error.
pub(crate) fn sqlstate(error: &Error) -> Option<&str> {
    error
        .context()
        .find_map(|(key, value)| (key == "sqlstate").then_some(value))
}
