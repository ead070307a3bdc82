//! Runs commands in few round trips: consecutive internal commands are sent together, each script statement alone.

use std::time::Duration;

use lockage_core::{Error, ErrorKind};
use lockage_sql::script::Splitter;
use lockage_sql::{AssertionError, Command, CommandError, cancelled_error, timeout_error};

use crate::cancel::{KillTarget, MysqlCanceller};
use crate::dialect::DIALECT;
use crate::driver::{DriverConnection, QueryError};
use crate::error;

/// How long a cancelled statement may take to end before the session is abandoned.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(10);

/// The statement is empty: it is a comment for other servers.
const EMPTY_STATEMENT: u16 = 1065;

/// A KILL QUERY ended the statement.
const QUERY_KILLED: u16 = 1317;

/// A time limit of the server ended the statement: the number of MariaDB, then of MySQL.
const TIME_LIMIT_REACHED: [u16; 2] = [1969, 3024];

/// The limits of one statement of a script.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StatementLimits {
    /// How long it may run.
    pub(crate) timeout: Option<Duration>,
    /// Its maximum length in bytes, `max_allowed_packet` of the server.
    pub(crate) max_packet: Option<usize>,
}

/// Runs commands in order and stops at the first that fails.
pub(crate) async fn run(
    driver: &mut DriverConnection,
    canceller: &MysqlCanceller,
    limits: StatementLimits,
    commands: &[Command<'_>],
    on_done: &mut (dyn FnMut(usize) + Send),
) -> Result<(), CommandError> {
    let mut batch = Batch::default();
    for (index, command) in commands.iter().enumerate() {
        match command {
            Command::Internal(sql) => batch.push(index, sql),
            Command::Assert(condition, assertion) => {
                batch.push(index, &format!("SELECT {condition}"));
                batch.send(driver, Some(assertion), on_done).await?;
            }
            Command::Script(sql) => {
                batch.send(driver, None, on_done).await?;
                run_script_statement(driver, canceller, limits, sql)
                    .await
                    .map_err(|failed| failed.at_command(index))?;
                on_done(index);
            }
            command => {
                let error = Error::new(
                    ErrorKind::Unsupported,
                    format!("this backend does not know the command {command:?}"),
                );
                return Err(CommandError::new(index, error));
            }
        }
    }
    batch.send(driver, None, on_done).await
}

/// Internal commands that are sent in one text.
#[derive(Default)]
struct Batch {
    /// For each statement of the text, the index of its command.
    commands: Vec<usize>,
    text: String,
}

impl Batch {
    /// Adds a command. It may consist of several statements, which are counted so that a failure is attributed to its command.
    fn push(&mut self, index: usize, sql: &str) {
        if !self.text.is_empty() {
            self.text.push_str("; ");
        }
        self.text.push_str(sql);
        let statements = Splitter::new(sql.as_bytes(), DIALECT.syntax).count();
        self.commands.extend(std::iter::repeat_n(index, statements));
    }

    /// Sends the commands. With an assertion, the last one returns whether it is true.
    async fn send(
        &mut self,
        driver: &mut DriverConnection,
        assertion: Option<&AssertionError>,
        on_done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), CommandError> {
        let text = std::mem::take(&mut self.text);
        let mut commands = std::mem::take(&mut self.commands);
        let Some(last) = commands.last().copied() else {
            return Ok(());
        };
        let sets = driver.run(&text).await.map_err(|failed| {
            let index = commands.get(failed.index).copied().unwrap_or(last);
            // A position in the joined text would not be one in the command.
            error::command_error(index, &text, failed.error).with_position(None)
        })?;
        if let Some(assertion) = assertion {
            let value = sets
                .last()
                .and_then(|rows| rows.first()?.first()?.as_deref());
            if value != Some("1") {
                return Err(CommandError::new(last, assertion.clone().into()));
            }
        }
        commands.dedup();
        commands.into_iter().for_each(on_done);
        Ok(())
    }
}

/// Runs one statement of a script, for at most `timeout`.
async fn run_script_statement(
    driver: &mut DriverConnection,
    canceller: &MysqlCanceller,
    limits: StatementLimits,
    sql: &str,
) -> Result<(), CommandError> {
    let timeout = limits.timeout;
    // The packet also contains the number of the command.
    if let Some(max) = limits.max_packet.filter(|max| sql.len() + 1 > *max) {
        return Err(CommandError::new(0, too_long_error(sql.len(), max)));
    }
    if canceller.take_cancelled() {
        return Err(CommandError::new(0, cancelled_error()));
    }
    let (result, timed_out) = execute_with_timeout(driver, canceller, timeout, sql)
        .await
        .map_err(|error| CommandError::new(0, error))?;
    let cancelled = canceller.take_cancelled();
    let failed = match result {
        // A cancelled SLEEP, for example, ends without an error. A statement that commits by itself has taken effect all the same.
        Ok(()) if cancelled && driver.in_transaction() => {
            return Err(CommandError::new(0, cancelled_error()));
        }
        Ok(()) => {
            return match timed_out.filter(|_| driver.in_transaction()) {
                Some(timeout) => Err(CommandError::new(0, timeout_error(timeout))),
                None => Ok(()),
            };
        }
        Err(failed) => failed,
    };
    match failed.number() {
        Some(EMPTY_STATEMENT) => Ok(()),
        Some(number)
            if cancelled && (number == QUERY_KILLED || TIME_LIMIT_REACHED.contains(&number)) =>
        {
            let error = cancelled_error().with_source(failed.error);
            Err(CommandError::new(0, error))
        }
        Some(QUERY_KILLED) => {
            let error = timed_out.map_or_else(killed_error, timeout_error);
            Err(CommandError::new(0, error.with_source(failed.error)))
        }
        _ => Err(error::command_error(0, sql, failed.error).map_error(as_script_error)),
    }
}

/// Executes a statement and cancels it after `timeout`. Returns its result, and the timeout if it was exceeded.
///
/// # Errors
/// [`ErrorKind::SessionLost`] if the statement does not end after it was cancelled.
async fn execute_with_timeout(
    driver: &mut DriverConnection,
    canceller: &MysqlCanceller,
    timeout: Option<Duration>,
    sql: &str,
) -> Result<(Result<(), QueryError>, Option<Duration>), Error> {
    let Some(timeout) = timeout else {
        return Ok((driver.execute(sql).await, None));
    };
    let mut executing = std::pin::pin!(driver.execute(sql));
    tokio::select! {
        result = &mut executing => Ok((result, None)),
        () = tokio::time::sleep(timeout) => {
            let (_, ended) = tokio::join!(
                canceller.kill(KillTarget::Query),
                tokio::time::timeout(CANCEL_TIMEOUT, &mut executing),
            );
            match ended {
                Ok(result) => Ok((result, Some(timeout))),
                Err(_) => Err(Error::new(
                    ErrorKind::SessionLost,
                    "a statement exceeded its statement timeout and could not be cancelled; the session was abandoned",
                )),
            }
        }
    }
}

/// A failed connect is an error of the connect only when a session is opened. Later it is an error of the statement.
fn as_script_error(error: Error) -> Error {
    if error.kind() != ErrorKind::Connect || error.is_temporary() {
        return error;
    }
    Error::new(ErrorKind::MigrationFailed, error.message()).with_source(error)
}

fn too_long_error(length: usize, max: usize) -> Error {
    Error::new(
        ErrorKind::MigrationFailed,
        format!(
            "the statement has {length} bytes, and the server accepts at most {max} (max_allowed_packet); it was not sent"
        ),
    )
    .with_hint("divide the statement, or raise max_allowed_packet on the server")
}

fn killed_error() -> Error {
    Error::new(
        ErrorKind::MigrationFailed,
        "another session cancelled the statement (KILL QUERY)",
    )
}
