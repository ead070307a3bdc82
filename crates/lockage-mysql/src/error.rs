//! Converts errors of the driver: error numbers of MySQL and MariaDB to error kinds.

use lockage_core::{Error, ErrorKind, Status};
use lockage_sql::{CommandError, ErrorPosition, FailureCause, KnownError};
use mysql_async::{DriverError, IoError};

use crate::driver_panic::DriverPanic;

use ErrorKind::{Connect, MigrationFailed, SessionLost, Unexpected, Unsupported};

const fn known(numbers: &'static [u32], kind: ErrorKind) -> KnownError {
    KnownError::new(numbers, kind)
}

/// The error numbers with a meaning of their own. Any other number is a statement that failed.
const TABLE: &[KnownError] = &[
    // Access denied; unknown user, plug-in or proxy.
    known(&[1045, 1698, 1251, 1275, 1524], Connect).with_hint("check user and password"),
    known(&[1044], Connect)
        .with_hint("grant the user privileges on this database: GRANT ALL ON `database`.* TO the user"),
    // Host not allowed; host blocked; TLS required.
    known(&[1130, 1129, 3159], Connect),
    // Unknown database.
    known(&[1049], Connect)
        .with_cause(FailureCause::MissingTable)
        .with_hint("create the database, or use --create (ConnectOptions::create)"),
    // Too many connections, in total or of this user; the server starts or stops; the account is locked for a while.
    known(&[1040, 1203, 1226, 1053, 3032, 3955], Connect).with_status(Status::Temporary),
    // The node of a cluster is not ready: it has no quorum, or is still joining.
    known(&[1047], Connect).with_status(Status::Temporary).with_hint(
        "this node of the cluster has no quorum or is still joining; see SHOW STATUS LIKE 'wsrep_%'",
    ),
    // Killed, closed by the server, timed out; packets out of order; the server disconnected during its reply.
    known(
        &[1927, 2006, 2013, 2055, 1080, 1152, 1153, 1158, 1159, 1160, 1161, 1184, 4031],
        SessionLost,
    )
    .with_status(Status::Temporary),
    // No such table; no such table in the engine.
    known(&[1146, 1932], MigrationFailed).with_cause(FailureCause::MissingTable),
    // Lock wait timeout; deadlock; NOWAIT; deadlock of user-level locks; table definition or row changed meanwhile.
    known(&[1205, 1213, 3572, 3058, 1412, 1020], MigrationFailed)
        .with_cause(FailureCause::LockTimeout),
    // No privilege for a table, a column, a routine, an operation, a definer; for dropping, seeing or setting something.
    known(&[1142, 1143, 1370, 1227, 1095, 1403, 1410, 4165], MigrationFailed)
        .with_hint("the user lacks a privilege; see SHOW GRANTS"),
    // The definer of a view, trigger or routine does not exist.
    known(&[1449], MigrationFailed).with_hint(
        "create the account of the DEFINER clause, or remove the clause so that the user of the migration is the definer",
    ),
    // An invalid default; an invalid date, time or number.
    known(&[1067, 1292], MigrationFailed).with_hint(
        "the session uses strict sql_mode with NO_ZERO_DATE and NO_ZERO_IN_DATE; correct the value, or set sql_mode in the script",
    ),
    // A column that is neither grouped nor aggregated.
    known(&[1055], MigrationFailed).with_hint(
        "the script or a routine uses ONLY_FULL_GROUP_BY, which the session does not; add the column to GROUP BY, or set sql_mode",
    ),
    // A routine that the binary log cannot replay safely.
    known(&[1418, 1419], MigrationFailed).with_hint(
        "the binary log is enabled: grant the user SUPER, or set log_bin_trust_function_creators = 1 on the server",
    ),
    // A write in a read-only transaction.
    known(&[1792], MigrationFailed)
        .with_hint("the history row is written in the same transaction; remove READ ONLY"),
    // --read-only, super_read_only, offline mode.
    known(&[1290, 1836, 3100], MigrationFailed)
        .with_hint("the server is read-only; check whether it is a replica"),
    known(&[1021, 1114, 3, 28, 1041, 1037, 1038], MigrationFailed)
        .with_hint("the server is out of disk space or memory; free some and run again"),
    known(&[1235, 1286, 1178, 1289, 1556], Unsupported),
    // A statement that exceeded a time limit of the server.
    known(&[1969, 3024], MigrationFailed)
        .with_hint("the server cancelled the statement after its own time limit"),
];

/// Unknown database.
pub(crate) const UNKNOWN_DATABASE: u16 = 1049;

/// A deadlock was resolved against this session, or, on a cluster, another node committed first.
pub(crate) const DEADLOCK: u16 = 1213;

/// No such session.
pub(crate) const NO_SUCH_SESSION: u16 = 1094;

/// The numbers that the server sends when it ends a session: killed, idle for too long.
const DISCONNECT_ERRORS: [&str; 2] = ["1927", "4031"];

/// Converts an error of the driver. `index` is the index of the failed command, `sql` its text.
pub(crate) fn command_error(index: usize, sql: &str, error: mysql_async::Error) -> CommandError {
    let position = match &error {
        mysql_async::Error::Server(server) => error_position(sql, server.code, &server.message),
        _ => None,
    };
    let (cause, error) = classify(error);
    CommandError::new(index, error)
        .with_cause(cause)
        .with_position(position)
}

/// Converts an error of the driver outside a batch of commands.
pub(crate) fn into_error(error: mysql_async::Error) -> Error {
    classify(error).1
}

/// Returns the error number, if the server sent the error.
pub(crate) fn number(error: &mysql_async::Error) -> Option<u16> {
    match error {
        mysql_async::Error::Server(server) => Some(server.code),
        _ => None,
    }
}

/// Returns whether the server hides something from this user or cannot show it, as opposed to a server that is busy or
/// disconnected.
pub(crate) fn is_access_denied(error: &mysql_async::Error) -> bool {
    number(error).map(find).is_some_and(|known| {
        known.cause() != FailureCause::LockTimeout && known.status() != Status::Temporary
    })
}

/// The context of an error that a panic of the driver caused.
const PANIC_CONTEXT: &str = "driver";

/// Returns whether a panic of the driver caused the error.
pub(crate) fn is_driver_panic(error: &Error) -> bool {
    error.context().any(|(key, _)| key == PANIC_CONTEXT)
}

/// Returns whether the server announced the end of the session.
pub(crate) fn is_server_disconnect(error: &Error) -> bool {
    error
        .context()
        .any(|(key, value)| key == "mysql_error" && DISCONNECT_ERRORS.contains(&value))
}

fn find(number: u16) -> &'static KnownError {
    KnownError::find(TABLE, number.into())
}

fn classify(error: mysql_async::Error) -> (FailureCause, Error) {
    match error {
        mysql_async::Error::Server(server) => {
            let known = find(server.code);
            let mut error = known.error(server.message.clone());
            if server.code == UNKNOWN_DATABASE {
                error = error.with_status(Status::DatabaseMissing);
            }
            let error = error
                .with_context("mysql_error", server.code.to_string())
                .with_context("sqlstate", server.state.clone());
            (known.cause(), error.with_source(server))
        }
        error => (FailureCause::Other, classify_driver_error(error)),
    }
}

/// Converts an error that the server did not send.
fn classify_driver_error(error: mysql_async::Error) -> Error {
    match error {
        mysql_async::Error::Io(IoError::Io(source)) => {
            Error::new(SessionLost, format!("the connection failed: {source}"))
                .with_status(Status::Temporary)
                .with_source(source)
        }
        mysql_async::Error::Driver(
            source @ (DriverError::ConnectionClosed
            | DriverError::PoolDisconnected
            | DriverError::PacketOutOfOrder),
        ) => Error::new(SessionLost, "the connection is closed")
            .with_status(Status::Temporary)
            .with_source(source),
        mysql_async::Error::Driver(source @ DriverError::UnknownAuthPlugin { .. }) => Error::new(
            Connect,
            format!("the server requires an authentication method that is not supported: {source}"),
        )
        .with_hint("check the user: MySQL requires it for an account that does not exist")
        .with_source(source),
        mysql_async::Error::Driver(DriverError::PacketTooLarge) => Error::new(
            MigrationFailed,
            "a statement is longer than the maximum packet",
        ),
        mysql_async::Error::Other(source) if source.is::<DriverPanic>() => {
            Error::new(SessionLost, source.to_string())
                .with_context(PANIC_CONTEXT, "panic")
                .with_hint("check that the URL leads to a MySQL or MariaDB server")
                .with_source(source)
        }
        mysql_async::Error::Other(source) if source.is::<mysql_async::LocalInfileError>() => {
            Error::new(
                Unsupported,
                "LOAD DATA LOCAL is not supported: the server requested a file of the client",
            )
            .with_hint("use INSERT, or LOAD DATA without LOCAL")
            .with_source(source)
        }
        error => Error::new(Unexpected, error.to_string()).with_source(error),
    }
}

/// The maximum number of characters of a statement that a syntax error quotes.
const MAX_QUOTED: usize = 80;

/// The text before the quotation.
const NEAR_MARKER: &str = " near '";

/// Returns the position of a syntax error in a statement: `… near 'FROM t' at line 3`.
///
/// The quotation is the text of the statement from the error on, cut after 80 characters, so it determines the column.
fn error_position(sql: &str, number: u16, message: &str) -> Option<ErrorPosition> {
    if !matches!(number, 1064 | 1149) {
        return None;
    }
    let (before, line) = message.rsplit_once(" at line ")?;
    let line: u32 = line.trim().parse().ok()?;
    let line_start = sql
        .split_inclusive('\n')
        .take(line.saturating_sub(1) as usize)
        .map(str::len)
        .sum::<usize>();
    let quoted = before
        .split_once(NEAR_MARKER)
        .map(|(_, quoted)| quoted.strip_suffix('\'').unwrap_or(quoted));
    let position = quoted.and_then(|quoted| {
        let text = sql.get(line_start..)?;
        let at = if quoted.is_empty() {
            sql.trim_end().len().checked_sub(line_start)?
        } else if quoted.chars().count() < MAX_QUOTED {
            text.trim_end().strip_suffix(quoted.trim_end())?.len()
        } else {
            text.find(quoted)?
        };
        Some(ErrorPosition::Byte(line_start + at))
    });
    position.or(Some(ErrorPosition::Line(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: u16, message: &str) -> mysql_async::Error {
        mysql_async::Error::Server(mysql_async::ServerError {
            code,
            message: message.into(),
            state: "HY000".into(),
        })
    }

    #[test]
    fn error_numbers_are_unique() {
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
    fn error_number_determines_kind_and_cause() {
        let failed = |code| command_error(0, "", server(code, "text"));
        assert_eq!(failed(1146).cause, FailureCause::MissingTable);
        assert_eq!(failed(1205).cause, FailureCause::LockTimeout);
        assert_eq!(failed(1045).error.kind(), Connect);
        assert!(!failed(1045).error.is_temporary());
        assert!(failed(1047).error.is_temporary());
        assert!(failed(1049).error.hint().unwrap().contains("--create"));
        assert_eq!(failed(2013).error.kind(), SessionLost);
        assert_eq!(failed(1054).error.kind(), MigrationFailed);
        assert_eq!(failed(1054).error.message(), "text");
    }

    #[test]
    fn access_denied_excludes_busy_and_lost_connections() {
        for code in [1142, 1044, 1356, 1227] {
            assert!(is_access_denied(&server(code, "")), "{code}");
        }
        for code in [DEADLOCK, 1205, 1047, 1927, 2013] {
            assert!(!is_access_denied(&server(code, "")), "{code}");
        }
    }

    #[test]
    fn syntax_error_has_position() {
        let sql = "SELECT 1,\n  2 FORM\n  t";
        let at = |near: &str, line: u32| {
            let message = format!(
                "You have an error in your SQL syntax; check … near '{near}' at line {line}"
            );
            command_error(0, sql, server(1064, &message)).position
        };
        assert_eq!(at("t", 3), Some(ErrorPosition::Byte(sql.len() - 1)));
        assert_eq!(at("FORM\n  t", 2), Some(ErrorPosition::Byte(14)));
        assert_eq!(at("", 3), Some(ErrorPosition::Byte(sql.len())));
        assert_eq!(at("something else", 2), Some(ErrorPosition::Line(2)));
        let long = format!("CREATE TABEL t ({})", "a, ".repeat(60));
        let near: String = long[7..].chars().take(MAX_QUOTED).collect();
        let message = format!("near … near '{near}' at line 1");
        assert_eq!(
            command_error(0, &long, server(1064, &message)).position,
            Some(ErrorPosition::Byte(7))
        );
        assert_eq!(
            command_error(0, sql, server(1054, "near 't' at line 3")).position,
            None
        );
    }
}
