//! From SQL Server's error numbers to kinds.

use lockage_core::{Error, ErrorKind};
use lockage_sql::{FailureCause, CommandError, KnownError, ErrorPosition};

use ErrorKind::{Connect, MigrationFailed, SessionLost, Unexpected, Unsupported};

const fn entry(numbers: &'static [u32], kind: ErrorKind) -> KnownError {
    KnownError::new(numbers, kind)
}

/// The numbers that mean something to us; whatever is missing is a statement that failed.
const TABLE: &[KnownError] = &[
    entry(&[18452, 18456, 18470, 18486, 18487, 18488], Connect).with_hint("check user and password"),
    // The database does not exist, or this login may not use it: the server does not say which.
    entry(&[4060, 911, 916], Connect).with_hint(
        "make the database, or let --create (ConnectOptions::create) make it; or give the login a user in it",
    ),
    entry(&[40914, 40615], Connect).with_hint("the server's firewall does not let this address in"),
    // Azure SQL moves, is too busy or is out of something for a while; a database that starts, stops or recovers.
    entry(
        &[615, 921, 922, 4221, 10928, 10929, 10936, 17197, 40143, 40197, 40501, 40540, 40613, 42108, 42109, 49918, 49919, 49920],
        Connect,
    )
    .with_status(Status::Temporary),
    // Killed; shut down.
    entry(&[596, 6005, 6006, 17188, 17148], SessionLost).with_status(Status::Temporary),
    entry(&[208], MigrationFailed).with_cause(FailureCause::MissingTable),
    // Lock request timed out; deadlock victim; snapshot conflicts.
    entry(&[1222, 1205, 3960, 3961], MigrationFailed).with_cause(FailureCause::LockTimeout),
    entry(&[226, 574, 3021, 3023, 5069, 12321, 15002, 40508], MigrationFailed).with_hint(
        "where it is refused only inside a transaction, put `-- lockage: no-transaction` at the head of the file",
    ),
    entry(&[229, 230, 262, 297, 300, 371, 378, 2760, 3701, 15247], MigrationFailed).with_hint("the user may lack a right; see sys.fn_my_permissions"),
    entry(&[978, 976, 3906, 3908, 3909], MigrationFailed).with_hint("the database is read-only: is this a replica?"),
    entry(&[1101, 1105, 9002, 701, 802, 8645, 40544], MigrationFailed).with_hint("the server is out of disk, log or memory; make room and run again"),
    entry(&[3930, 3998, 3931], MigrationFailed).with_hint("an error before it, which the script caught, had doomed the transaction"),
];

/// Whether a login was refused for its database: it is not there, or not for this login.
pub(crate) fn is_database_missing(error: &tiberius::error::Error) -> bool {
    match error {
        tiberius::error::Error::Server(server) => matches!(number(server), 4060 | 911),
        _ => false,
    }
}

fn number(server: &tiberius::error::TokenError) -> u32 {
    match server.code() {
        UNMAPPED => number_of(server.message()),
        number => number,
    }
}

/// Judges an error of the driver. `piece` is the index of what failed; `sql` its text where it is a batch of a script.
pub(crate) fn failure(piece: usize, sql: Option<&str>, error: tiberius::error::Error) -> CommandError {
    let place = sql.and_then(|sql| place(sql, &error));
    let (cause, error) = judge(error);
    CommandError {
        place,
        cause,
        ..CommandError::new(piece, error)
    }
}

/// Judges an error of the driver outside a piece.
pub(crate) fn plain(error: tiberius::error::Error) -> Error {
    judge(error).1
}

/// What Babelfish says in place of a number that it does not know; the text is PostgreSQL's then.
const UNMAPPED: u32 = 33_557_097;

/// The number that SQL Server has for such a text.
fn number_of(message: &str) -> u32 {
    match message {
        "canceling statement due to lock timeout" => 1222,
        "deadlock detected" => 1205,
        _ if message.starts_with("Cannot open database ") => 4060,
        _ if message.starts_with("relation ") && message.ends_with("does not exist") => 208,
        _ => UNMAPPED,
    }
}

fn judge(error: tiberius::error::Error) -> (FailureCause, Error) {
    let server = match &error {
        tiberius::error::Error::Server(server) => server,
        tiberius::error::Error::Io { message, .. } => {
            let made = Error::new(SessionLost, format!("the connection broke: {message}"));
            return (FailureCause::Other, made.with_status(Status::Temporary).with_source(error));
        }
        // What follows such an answer cannot be told from the rest of it.
        tiberius::error::Error::Protocol(_) => {
            let made = Error::new(
                SessionLost,
                format!("the connection is out of step: {error}"),
            );
            return (FailureCause::Other, made.with_status(Status::Temporary).with_source(error));
        }
        tiberius::error::Error::Encoding(_)
        | tiberius::error::Error::Utf8
        | tiberius::error::Error::Utf16 => {
            let made = Error::new(
                Unsupported,
                format!("the driver cannot read an answer: {error}"),
            );
            return (FailureCause::Other, made.with_source(error));
        }
        _ => {
            let made = Error::new(Unexpected, error.to_string());
            return (FailureCause::Other, made.with_source(error));
        }
    };
    let found = KnownError::find(TABLE, number(server));
    let mut made = found.error(server.message());
    made = made
        .with_context("sqlserver_error", server.code().to_string())
        .with_context("severity", server.class().to_string());
    if !server.procedure().is_empty() {
        let place = format!("{}, line {}", server.procedure(), server.line());
        made = made.with_context("procedure", place);
    }
    (found.cause(), made.with_source(error))
}

/// The line of a batch in which it failed. The server counts within a procedure where one was called, and within the batch where one was
/// being made.
fn place(sql: &str, error: &tiberius::error::Error) -> Option<ErrorPosition> {
    let tiberius::error::Error::Server(server) = error else {
        return None;
    };
    let makes_one = || {
        let words = lockage_sql::script::leading_words(sql, &lockage_sql::script::SQLSERVER, 1);
        words.iter().any(|word| word == "CREATE" || word == "ALTER")
    };
    let lines = u32::try_from(sql.lines().count()).unwrap_or(u32::MAX);
    let within = (1..=lines).contains(&server.line());
    (within && (server.procedure().is_empty() || makes_one())).then(|| ErrorPosition::Line(server.line()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_broken_connection_is_a_lost_session() {
        let broken = tiberius::error::Error::Io {
            kind: std::io::ErrorKind::UnexpectedEof,
            message: "early eof".into(),
        };
        let error = plain(broken);
        assert_eq!(error.kind(), SessionLost);
        assert!(error.is_temporary());
        let strange = plain(tiberius::error::Error::Protocol("invalid token".into()));
        assert_eq!(strange.kind(), SessionLost);
    }
}
