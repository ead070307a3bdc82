//! From MySQL's and MariaDB's error numbers to kinds.

use lockage_core::{Error, ErrorKind};
use lockage_sql::{FailureCause, CommandError, KnownError, ErrorPosition};
use mysql_async::{DriverError, IoError};

use ErrorKind::{Connect, MigrationFailed, SessionLost, Unexpected, Unsupported};

const fn entry(numbers: &'static [u32], kind: ErrorKind) -> KnownError {
    KnownError::new(numbers, kind)
}

/// The numbers that mean something to us; whatever is missing is a statement that failed.
const TABLE: &[KnownError] = &[
    // Access denied; no such user, plug-in or proxy.
    entry(&[1045, 1698, 1251, 1275, 1524], Connect).with_hint("check user and password"),
    entry(&[1044], Connect).with_hint("the user needs rights on this database: GRANT ALL ON `database`.* TO the user"),
    // Host not allowed; host blocked; TLS demanded.
    entry(&[1130, 1129, 3159], Connect),
    // Unknown database.
    entry(&[1049], Connect).with_cause(FailureCause::MissingTable).with_hint("make the database, or let --create (ConnectOptions::create) make it"),
    // Too many connections, of all or of this user; the server starts or stops; the account is locked for a while.
    entry(&[1040, 1203, 1226, 1053, 3032, 3955], Connect).with_status(Status::Temporary),
    // The cluster's node is not ready: no quorum, or still joining.
    entry(&[1047], Connect).with_status(Status::Temporary).with_hint(
        "this node of the cluster is not ready: without quorum, or still joining; see SHOW STATUS LIKE 'wsrep_%'",
    ),
    // Killed, closed by the server, timed out; packets out of order; the server went away while it answered.
    entry(&[1927, 2006, 2013, 2055, 1080, 1152, 1153, 1158, 1159, 1160, 1161, 1184, 4031], SessionLost).with_status(Status::Temporary),
    // No such table, in a view, or in no such database.
    entry(&[1146, 1932], MigrationFailed).with_cause(FailureCause::MissingTable),
    // Lock wait timeout; deadlock; a lock for which nobody wanted to wait; the definition changed meanwhile.
    entry(&[1205, 1213, 3572, 3058, 1412, 1020], MigrationFailed).with_cause(FailureCause::LockTimeout),
    // No right to: use a table, a column, a routine, an operation, a definer; drop, see or set something.
    entry(&[1142, 1143, 1370, 1227, 1095, 1403, 1410, 1449, 4165], MigrationFailed).with_hint("the user lacks a right; see SHOW GRANTS"),
    // A routine that the binary log would not replay.
    entry(&[1418, 1419], MigrationFailed).with_hint(
        "the binary log is on: the user needs SUPER, or the server log_bin_trust_function_creators = 1",
    ),
    // A transaction that was begun as one that only reads.
    entry(&[1792], MigrationFailed).with_hint("what a migration does is written down in its transaction: leave READ ONLY out of the script"),
    // --read-only, super_read_only, offline mode.
    entry(&[1290, 1836, 3100], MigrationFailed).with_hint("the server is read-only: is this a replica?"),
    entry(&[1021, 1114, 3, 28, 1041, 1037, 1038], MigrationFailed).with_hint("the server is out of disk or memory; make room and run again"),
    entry(&[1235, 1286, 1178, 1289, 1556], Unsupported),
    // A statement that took longer than it may.
    entry(&[1969, 3024], MigrationFailed).with_hint("the server's own time limit for a statement ended it"),
];

/// Judges an error of the driver. `piece` is the index of what failed, `sql` its text.
pub(crate) fn failure(piece: usize, sql: &str, error: mysql_async::Error) -> CommandError {
    let place = match &error {
        mysql_async::Error::Server(server) => place(sql, server.code, &server.message),
        _ => None,
    };
    let (cause, error) = judge(error);
    CommandError {
        place,
        cause,
        ..CommandError::new(piece, error)
    }
}

/// Judges an error of the driver outside a piece.
pub(crate) fn plain(error: mysql_async::Error) -> Error {
    judge(error).1
}

/// Unknown database.
const NO_DATABASE: u16 = 1049;

/// Another session's lock was in the way, or, on a cluster, another node was first.
pub(crate) const DEADLOCK: u16 = 1213;

/// The number of a server's error.
pub(crate) fn number(error: &mysql_async::Error) -> Option<u16> {
    match error {
        mysql_async::Error::Server(server) => Some(server.code),
        _ => None,
    }
}

/// Whether an answer means that the server does not show something to this user, or cannot; not that it was busy or is gone.
pub(crate) fn hides(error: &mysql_async::Error) -> bool {
    number(error)
        .map(lookup)
        .is_some_and(|known| known.cause() != FailureCause::LockTimeout && !known.is_temporary())
}

/// Killed; silent for too long.
const GOODBYES: [&str; 2] = ["1927", "4031"];

/// Whether the loss of a session is what the server itself said.
pub(crate) fn says_goodbye(error: &Error) -> bool {
    error
        .context()
        .any(|(key, value)| key == "mysql_error" && GOODBYES.contains(&value))
}

fn lookup(number: u16) -> &'static KnownError {
    KnownError::find(TABLE, number.into())
}

fn judge(error: mysql_async::Error) -> (FailureCause, Error) {
    match error {
        mysql_async::Error::Server(server) => {
            let found = lookup(server.code);
            let mut made = found.error(server.message.clone());
            if server.code == NO_DATABASE {
                made = made.with_status(Status::DatabaseMissing);
            }
            let made = made
                .with_context("mysql_error", server.code.to_string())
                .with_context("sqlstate", server.state.clone());
            (found.cause(), made.with_source(server))
        }
        mysql_async::Error::Io(IoError::Io(source)) => {
            let made = Error::new(SessionLost, format!("the connection broke: {source}"));
            (FailureCause::Other, made.with_status(Status::Temporary).with_source(source))
        }
        mysql_async::Error::Driver(
            source @ (DriverError::ConnectionClosed
            | DriverError::PoolDisconnected
            | DriverError::PacketOutOfOrder),
        ) => (
            FailureCause::Other,
            Error::new(SessionLost, "the connection is closed")
                .with_status(Status::Temporary)
                .with_source(source),
        ),
        mysql_async::Error::Driver(source @ DriverError::UnknownAuthPlugin { .. }) => {
            let made = Error::new(
                Connect,
                format!(
                    "the server wants to be logged in to in a way that is not known here: {source}"
                ),
            );
            (
                FailureCause::Other,
                made.with_hint("check the user: MySQL asks so where there is no such account")
                    .with_source(source),
            )
        }
        mysql_async::Error::Driver(DriverError::PacketTooLarge) => (
            FailureCause::Other,
            Error::new(
                MigrationFailed,
                "a statement is longer than a packet can be",
            ),
        ),
        mysql_async::Error::Other(source) if source.is::<mysql_async::LocalInfileError>() => {
            let made = Error::new(
                Unsupported,
                "the server asked for a file of this machine; that is refused",
            )
            .with_hint("use INSERT, or LOAD DATA without LOCAL");
            (FailureCause::Other, made.with_source(source))
        }
        error => (
            FailureCause::Other,
            Error::new(Unexpected, error.to_string()).with_source(error),
        ),
    }
}

/// How much of the rest of a statement a syntax error shows.
const NEAR: usize = 80;

/// Where in a statement a syntax error is: `… near 'FROM t' at line 3`. What stands in quotes is the rest of the statement from there on,
/// cut after 80 characters, so it tells the column as well.
fn place(sql: &str, number: u16, message: &str) -> Option<ErrorPosition> {
    if !matches!(number, 1064 | 1149) {
        return None;
    }
    let (before, line) = message.rsplit_once(" at line ")?;
    let line: u32 = line.trim().parse().ok()?;
    let from = sql
        .split_inclusive('\n')
        .take(line.saturating_sub(1) as usize)
        .map(str::len)
        .sum::<usize>();
    let near = before
        .split_once(" near '")
        .map(|(_, near)| near.strip_suffix('\'').unwrap_or(near));
    let place = near.and_then(|near| {
        let rest = sql.get(from..)?;
        let at = if near.is_empty() {
            sql.trim_end().len().checked_sub(from)?
        } else if near.chars().count() < NEAR {
            rest.trim_end().strip_suffix(near.trim_end())?.len()
        } else {
            rest.find(near)?
        };
        Some(ErrorPosition::Byte(from + at))
    });
    place.or(Some(ErrorPosition::Line(line)))
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
    fn no_number_stands_in_the_table_twice() {
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
    fn numbers_decide() {
        let failed = |code| failure(0, "", server(code, "text"));
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
    fn what_is_hidden_is_told_from_what_is_busy_or_gone() {
        for code in [1142, 1044, 1356, 1227] {
            assert!(hides(&server(code, "")), "{code}");
        }
        for code in [DEADLOCK, 1205, 1047, 1927, 2013] {
            assert!(!hides(&server(code, "")), "{code}");
        }
    }

    #[test]
    fn a_syntax_error_tells_its_place() {
        let sql = "SELECT 1,\n  2 FORM\n  t";
        let at = |near: &str, line: u32| {
            let message = format!(
                "You have an error in your SQL syntax; check … near '{near}' at line {line}"
            );
            failure(0, sql, server(1064, &message)).place
        };
        assert_eq!(at("t", 3), Some(ErrorPosition::Byte(sql.len() - 1)));
        assert_eq!(at("FORM\n  t", 2), Some(ErrorPosition::Byte(14)));
        assert_eq!(at("", 3), Some(ErrorPosition::Byte(sql.len())));
        assert_eq!(at("something else", 2), Some(ErrorPosition::Line(2)));
        let long = format!("CREATE TABEL t ({})", "a, ".repeat(60));
        let near: String = long[7..].chars().take(NEAR).collect();
        let message = format!("near … near '{near}' at line 1");
        assert_eq!(
            failure(0, &long, server(1064, &message)).place,
            Some(ErrorPosition::Byte(7))
        );
        assert_eq!(
            failure(0, sql, server(1054, "near 't' at line 3")).place,
            None
        );
    }
}
