//! Runs commands on the worker thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lockage_core::{Error, ErrorKind};
use lockage_sql::{
    AssertionError, Command, CommandError, FailureCause, Row, cancelled_error, timeout_error,
};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use tokio::sync::mpsc;

use crate::cancel::InterruptFlag;
use crate::dialect::DIALECT;
use crate::drop_table;
use crate::error::{command_failure, is_busy, script_failure};
use crate::foreign_keys::{CHECK_VIOLATIONS, ForeignKeyCheck, RECORD_VIOLATIONS};
use crate::worker::WorkerState;

/// How long a statement waits for other writers before the first migration sets a limit.
const DEFAULT_BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The time limits of the current migration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimeLimits {
    /// The maximum duration of a statement of the script; `None` for no limit.
    pub(crate) statement: Option<Duration>,
    /// How long a statement waits for other writers; `None` for no limit.
    pub(crate) busy: Option<Duration>,
}

impl Default for TimeLimits {
    fn default() -> Self {
        Self {
            statement: None,
            busy: Some(DEFAULT_BUSY_TIMEOUT),
        }
    }
}

/// A command that can be sent to the worker thread.
#[derive(Debug)]
pub(crate) enum OwnedCommand {
    Internal(String),
    Script(String),
    Assert(String, AssertionError),
    RecordViolations,
    CheckViolations,
}

impl OwnedCommand {
    /// Copies commands.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a command that this backend does not know.
    pub(crate) fn from_commands(commands: &[Command<'_>]) -> Result<Vec<Self>, CommandError> {
        let owned = |(index, command): (usize, &Command<'_>)| match command {
            Command::Internal(sql) if sql == RECORD_VIOLATIONS => Ok(Self::RecordViolations),
            Command::Internal(sql) if sql == CHECK_VIOLATIONS => Ok(Self::CheckViolations),
            Command::Internal(sql) => Ok(Self::Internal(sql.to_string())),
            Command::Script(sql) => Ok(Self::Script((*sql).to_owned())),
            Command::Assert(condition, failure) => {
                Ok(Self::Assert(format!("SELECT {condition}"), failure.clone()))
            }
            command => {
                let message = format!("this backend does not know the command {command:?}");
                let error = Error::new(ErrorKind::Unsupported, message);
                Err(CommandError::new(index, error))
            }
        };
        commands.iter().enumerate().map(owned).collect()
    }

    fn is_rollback(&self) -> bool {
        matches!(self, Self::Internal(sql) if sql == DIALECT.rollback)
    }

    fn is_script(&self) -> bool {
        matches!(self, Self::Script(_))
    }

    /// Runs the command to its end. Returns the error of a condition that is false, or of a statement that must not run.
    fn run(
        &self,
        connection: &Connection,
        foreign_keys: &mut ForeignKeyCheck,
    ) -> rusqlite::Result<Option<Error>> {
        match self {
            Self::Internal(sql) => run_sql(connection, sql).map(|()| None),
            Self::Script(sql) => match drop_table::check(connection, sql)? {
                None => run_sql(connection, sql).map(|()| None),
                refused => Ok(refused),
            },
            Self::Assert(sql, failure) => {
                let holds: bool = connection.query_row(sql, (), |row| row.get(0))?;
                Ok((!holds).then(|| failure.clone().into()))
            }
            Self::RecordViolations => foreign_keys.record(connection).map(|()| None),
            Self::CheckViolations => foreign_keys.check(connection),
        }
    }
}

fn run_sql(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(sql)?;
    let mut cursor = statement.raw_query();
    while cursor.next()?.is_some() {}
    Ok(())
}

/// Runs an internal query. Does not create a missing database.
pub(crate) fn query(state: &mut WorkerState, sql: &str) -> Result<Vec<Row>, CommandError> {
    let Some(connection) = state.connection(false).map_err(command_failure)? else {
        let error = Error::new(ErrorKind::Connect, "the database does not exist");
        return Err(CommandError::new(0, error).with_cause(FailureCause::MissingTable));
    };
    read_rows(connection, sql).map_err(command_failure)
}

fn read_rows(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let mut cursor = statement.raw_query();
    let mut rows = Vec::new();
    while let Some(row) = cursor.next()? {
        let values = (0..columns).map(|column| row.get_ref(column).map(value_text));
        rows.push(values.collect::<rusqlite::Result<Row>>()?);
    }
    Ok(rows)
}

fn value_text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
    }
}

/// Runs commands in order and sends the index of each that succeeded. Stops at the first that fails.
pub(crate) fn execute(
    state: &mut WorkerState,
    commands: &[OwnedCommand],
    limits: TimeLimits,
    done: &mpsc::UnboundedSender<usize>,
) -> Result<(), CommandError> {
    let interrupt = Arc::clone(state.interrupt());
    let mut foreign_keys = std::mem::take(&mut state.foreign_keys);
    let Some(connection) = state.connection(true).map_err(command_failure)? else {
        let error = Error::new(ErrorKind::Unexpected, "the database was not created");
        return Err(CommandError::new(0, error));
    };
    let mut outcome = Ok(());
    for (index, command) in commands.iter().enumerate() {
        outcome = run_command(connection, command, limits, &interrupt, &mut foreign_keys)
            .map_err(|failure| failure.at_command(index));
        if outcome.is_err() {
            break;
        }
        let _ = done.send(index);
    }
    state.foreign_keys = foreign_keys;
    outcome
}

/// Runs one command within the time limits.
fn run_command(
    connection: &Connection,
    command: &OwnedCommand,
    limits: TimeLimits,
    interrupt: &InterruptFlag,
    foreign_keys: &mut ForeignKeyCheck,
) -> Result<(), CommandError> {
    // A rollback runs after an interrupt too: it ends the transaction of the interrupted statement.
    if interrupt.is_triggered() && !command.is_rollback() {
        interrupt.reset();
        return Err(CommandError::new(0, cancelled_error()));
    }
    let timeout = limits.statement.filter(|_| command.is_script());
    // A timeout beyond the range of the clock is no limit.
    interrupt.set_deadline(timeout.and_then(|timeout| Instant::now().checked_add(timeout)));
    let outcome = run_until_not_busy(connection, command, limits.busy, interrupt, foreign_keys);
    let timed_out = timeout.filter(|_| interrupt.is_past_deadline());
    interrupt.set_deadline(None);
    match outcome {
        Ok(None) => Ok(()),
        Ok(Some(failure)) => Err(CommandError::new(0, failure)),
        // The script already ended the transaction, as SQLite itself does after some errors.
        Err(_) if command.is_rollback() && connection.is_autocommit() => Ok(()),
        Err(error) => {
            let failure = if command.is_script() {
                script_failure(error)
            } else {
                command_failure(error)
            };
            if interrupt.is_triggered() {
                interrupt.reset();
                return Err(failure.map_error(|_| cancelled_error()));
            }
            Err(match timed_out {
                Some(timeout) => failure.map_error(|_| timeout_error(timeout)),
                None => failure,
            })
        }
    }
}

/// Repeats a command while another writer uses the database.
///
/// SQLite's own wait is short ([`BUSY_TIMEOUT`](crate::worker::BUSY_TIMEOUT)), so that an interrupt is noticed in between.
fn run_until_not_busy(
    connection: &Connection,
    command: &OwnedCommand,
    busy_limit: Option<Duration>,
    interrupt: &InterruptFlag,
    foreign_keys: &mut ForeignKeyCheck,
) -> rusqlite::Result<Option<Error>> {
    let started_at = Instant::now();
    loop {
        match command.run(connection, foreign_keys) {
            Err(error)
                if is_busy(&error)
                    && !interrupt.is_triggered()
                    && busy_limit.is_none_or(|limit| started_at.elapsed() < limit) => {}
            outcome => return outcome,
        }
    }
}
