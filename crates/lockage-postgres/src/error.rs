//! From SQLSTATE to kinds.

use std::error::Error as _;
use std::io;

use lockage_core::{Error, ErrorKind};
use lockage_sql::{FailureCause, CommandError};
use tokio_postgres::error::{DbError, ErrorPosition, Severity};

/// What a code of the server means for us.
struct Meaning {
    /// `None` for an ordinary failure.
    kind: Option<ErrorKind>,
    cause: FailureCause,
    /// Stands before the server's message.
    what: Option<&'static str>,
    hint: Option<&'static str>,
}

const fn failed(what: Option<&'static str>, hint: Option<&'static str>) -> Meaning {
    Meaning {
        kind: None,
        cause: FailureCause::Other,
        what,
        hint,
    }
}

fn meaning(code: &str) -> Meaning {
    match code {
        // lock_not_available, deadlock_detected, serialization_failure
        "55P03" | "40P01" | "40001" => Meaning {
            cause: FailureCause::LockTimeout,
            ..failed(None, None)
        },
        // undefined_table, invalid_schema_name
        "42P01" | "3F000" => Meaning {
            cause: FailureCause::MissingTable,
            ..failed(None, None)
        },
        // insufficient_privilege
        "42501" => failed(
            None,
            Some(
                "the user that migrates needs CREATE on the schema, ownership of the tables that it changes, and SELECT, INSERT, \
                 UPDATE and DELETE on lockage_history and lockage_journal",
            ),
        ),
        // read_only_sql_transaction
        "25006" => failed(
            None,
            Some(
                "take READ ONLY, or default_transaction_read_only, out of the script; where the server became a standby meanwhile, connect \
                 to the primary",
            ),
        ),
        // disk_full
        "53100" => failed(
            Some("the disk of the server is full"),
            Some("make room and run again; what was not committed is rolled back"),
        ),
        // active_sql_transaction
        "25001" => failed(
            None,
            Some(
                "a statement that cannot run in a transaction needs `-- lockage: no-transaction` at the head of its file",
            ),
        ),
        // invalid_transaction_termination
        "2D000" => failed(
            None,
            Some(
                "a block or procedure that commits needs `-- lockage: no-transaction` at the head of its file",
            ),
        ),
        // connection exceptions; admin_shutdown, crash_shutdown, database_dropped, idle_session_timeout,
        // idle_in_transaction_session_timeout
        _ if code.starts_with("08") => lost(),
        "57P01" | "57P02" | "57P04" | "57P05" | "25P03" => lost(),
        _ => failed(None, None),
    }
}

const fn lost() -> Meaning {
    Meaning {
        kind: Some(ErrorKind::SessionLost),
        cause: FailureCause::Other,
        what: Some("the server ended the session"),
        hint: Some("run again; what was not committed is rolled back"),
    }
}

/// Judges an error that a query ended with. `cancelled`: we asked for the end ourselves. `kind`: what it is where the code says
/// nothing else.
pub(crate) fn failure(
    piece: usize,
    error: tokio_postgres::Error,
    cancelled: bool,
    kind: ErrorKind,
) -> CommandError {
    let Some(db) = error.as_db_error() else {
        return CommandError::new(piece, of_driver(error));
    };
    let code = db.code().code().to_owned();
    let fatal = matches!(
        db.parsed_severity(),
        Some(Severity::Fatal | Severity::Panic)
    );
    let meaning = match &*code {
        // query_canceled
        "57014" if cancelled => Meaning {
            kind: Some(ErrorKind::Interrupted),
            ..failed(None, None)
        },
        "57014" => failed(
            None,
            Some(
                "a statement may take longer with `-- lockage: statement-timeout=10m` at the head of its file or --statement-timeout; \
                 where no limit was set, somebody cancelled it on the server",
            ),
        ),
        _ if fatal => lost(),
        code => meaning(code),
    };
    let message = match meaning.what {
        Some(what) => format!("{what}: {}", db.message()),
        None => db.message().to_owned(),
    };
    let mut made = Error::new(meaning.kind.unwrap_or(kind), message);
    if let Some(hint) = meaning.hint.or(db.hint()) {
        made = made.with_hint(hint);
    }
    // connection exceptions, crash_shutdown, cannot_connect_now
    if code.starts_with("08") && code != "08P01" || matches!(&*code, "57P02" | "57P03") {
        made = made.with_status(Status::ConnectionLost);
    }
    made = with_details(made, db);
    CommandError {
        cause: meaning.cause,
        ..CommandError::new(piece, made)
    }
}

/// What the server said beside its message, and that as the cause: the driver's error around it says `db error`.
fn with_details(mut made: Error, db: &DbError) -> Error {
    made = made
        .with_source(db.clone())
        .with_context("sqlstate", db.code().code());
    if let Some(detail) = db.detail() {
        made = made.with_context("detail", detail);
    }
    if let Some(context) = db.where_() {
        made = made.with_context("context", context);
    }
    if let Some(ErrorPosition::Internal { query, .. }) = db.position() {
        made = made.with_context("query", query.as_str());
    }
    made
}

/// An error that did not come from the server.
fn of_driver(error: tokio_postgres::Error) -> Error {
    let message = chain(&error);
    if error.is_closed() || io_error(&error).is_some() {
        Error::new(
            ErrorKind::SessionLost,
            format!("the connection to the server broke: {message}"),
        )
        .with_hint("run again; what was not committed is rolled back")
        .with_status(Status::ConnectionLost)
        .with_source(error)
    } else {
        Error::new(ErrorKind::Unexpected, message).with_source(error)
    }
}

/// Judges an error of connecting.
pub(crate) fn of_connecting(error: tokio_postgres::Error, shown: &str) -> Error {
    let cannot = |what: &str| {
        Error::new(
            ErrorKind::Connect,
            format!("cannot connect to {shown}: {what}"),
        )
    };
    let Some(db) = error.as_db_error() else {
        let message = chain(&error);
        let made = cannot(&message);
        let made = match io_error(&error) {
            // rustls tells what it thinks of a certificate through an error of this kind.
            Some(io) if io.kind() == io::ErrorKind::InvalidData => made.with_hint(
                "name the certificate of the server's authority with sslrootcert=<path> in the URL; sslmode=verify-ca does not ask for \
                 the host's name, sslmode=require for no authority at all",
            ),
            Some(_) => made.with_status(Status::Temporary),
            None if error.is_closed() => made.with_status(Status::Temporary),
            None if message.contains("not support TLS") => made.with_hint(
                "turn TLS on in the server; where the way to it is safe without, say sslmode=prefer or sslmode=disable",
            ),
            None if message.contains("password missing") => made.with_hint(
                "put the password into the URL, into LOCKAGE_PASSWORD, or into a file named with --password-file",
            ),
            None => made,
        };
        return made.with_source(error);
    };
    let made = cannot(db.message());
    let made = match db.code().code() {
        // invalid_password, invalid_authorization_specification
        "28P01" | "28000" => made.with_hint(
            "check user and password; the password may stand in the URL, in LOCKAGE_PASSWORD, or in a file named with --password-file",
        ),
        // invalid_catalog_name
        "3D000" => made.with_hint("make the database, or let --create (ConnectOptions::create) make it").with_status(Status::DatabaseMissing),
        // cannot_connect_now
        "57P03" => made.with_hint("the server is starting or stopping").with_status(Status::Temporary),
        // too_many_connections
        "53300" => made.with_hint("raise max_connections, or have the services use fewer").with_status(Status::Temporary),
        "42501" => made.with_hint("give the user the right to connect: GRANT CONNECT ON DATABASE … TO …"),
        // protocol_violation, as PgBouncer says it
        "08P01" if db.message().contains("startup parameter") => made.with_hint(
            "a pooler refuses a parameter of the URL: take `options` out of it, or have PgBouncer take it with ignore_startup_parameters",
        ),
        code if code.starts_with("57P") => made.with_status(Status::Temporary),
        _ => match db.hint() {
            Some(hint) => made.with_hint(hint),
            None => made,
        },
    };
    with_details(made, db)
}

/// An error and its causes, in one line: the driver's own text leaves the causes out.
pub(crate) fn chain(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn io_error(error: &tokio_postgres::Error) -> Option<&io::Error> {
    error.source()?.downcast_ref()
}

/// Whether somebody asked the server to end what failed so.
pub(crate) fn is_cancelled(error: &Error) -> bool {
    sqlstate(error) == Some("57014")
}

/// The server's code.
pub(crate) fn sqlstate(error: &Error) -> Option<&str> {
    error
        .context()
        .find_map(|(key, value)| (key == "sqlstate").then_some(value))
}
