//! Runs a script and writes its history row in one transaction.

use std::time::Instant;

use lockage_core::{ErrorKind, Event, LockProof, Migration, Observer, Result, Step, StepResult};

use super::progress::finished_state;
use crate::command::{AssertionError, Command, CommandError};
use crate::dialect::Dialect;
use crate::retry::{Retry, RetryPolicy};
use crate::script::ScriptStatement;
use crate::session::{SqlConnection, SqlSession, internal};
use crate::statement_reader::{StatementReader, count_statements, locate_failure};
use crate::tables::history::HistoryWrite;

/// The number of bytes after which a chunk ends. A script of one chunk is sent with its history row in one call; a longer script is
/// never in memory as a whole.
const CHUNK_BYTES: usize = 1024 * 1024;

impl<C: SqlConnection> SqlSession<C> {
    pub(crate) async fn apply_transactional(
        &mut self,
        proof: &LockProof,
        step: &Step,
        observer: &dyn Observer,
    ) -> Result<StepResult> {
        let mut retry = Retry::new(RetryPolicy::TABLE_LOCK);
        loop {
            match self.try_transaction(proof, step, observer).await {
                Ok(result) => return Ok(result),
                Err(failure) => {
                    let failure = self.roll_back(failure).await;
                    retry.before_retry(failure, step, observer).await?;
                }
            }
        }
    }

    async fn try_transaction(
        &mut self,
        proof: &LockProof,
        step: &Step,
        observer: &dyn Observer,
    ) -> Result<StepResult, CommandError> {
        let migration = &*step.migration;
        let started_at = Instant::now();
        let mut script =
            StatementChunks::open(step, self.connection.dialect()).map_err(at_start)?;
        let mut commands = self
            .begin_transaction(proof, step)
            .await
            .map_err(at_start)?;
        let mut done = 0;
        loop {
            let ends_call = |statement: &str| self.connection.ends_call(statement);
            let (chunk, is_last) = script.next(ends_call).map_err(at_start)?;
            let mut commands: Vec<Command<'_>> = std::mem::take(&mut commands);
            let first = commands.len();
            commands.extend(
                chunk
                    .iter()
                    .map(|statement| Command::Script(&statement.text)),
            );
            let end = commands.len();
            if is_last {
                let commit = self.commit_transaction(proof, step, started_at, script.total);
                commands.extend(commit.await.map_err(at_start)?);
            }
            let total = script.total;
            let mut on_done = |index: usize| {
                if (first..end).contains(&index) {
                    done += 1;
                    observer.on_event(&Event::Statement { done, total });
                }
            };
            let outcome = self.connection.execute(&commands, &mut on_done).await;
            self.report_notices(observer);
            if let Err(failure) = outcome {
                let statement = failure
                    .command
                    .checked_sub(first)
                    .and_then(|index| chunk.get(index));
                return Err(map_failure_to_file(migration, statement, failure));
            }
            if is_last {
                return Ok(StepResult::new(done));
            }
        }
    }

    /// Returns the commands before the script: settings, BEGIN, and the conditions under which the script may run.
    ///
    /// The conditions are inside the transaction, so that they hold for what it writes.
    async fn begin_transaction(
        &mut self,
        proof: &LockProof,
        step: &Step,
    ) -> Result<Vec<Command<'static>>> {
        let migration = &*step.migration;
        let mut commands = self.begin_migration(migration).await?;
        commands.push(Command::internal(self.connection.dialect().begin));
        commands.extend(internal(self.connection.transaction_prologue()));
        commands.extend(self.assertions(proof, step).await?);
        commands.push(Command::Assert(
            self.history.not_started_sql(migration),
            AssertionError::new(
                ErrorKind::Diverged,
                format!(
                    "some statements of {migration} are already committed; the rest cannot run in a transaction"
                ),
            ),
        ));
        Ok(commands)
    }

    /// Returns the commands after the script: the engine's checks, the lock conditions, the history row, COMMIT.
    ///
    /// The lock is checked again because a script can release it. The fencing check is last, directly before COMMIT.
    async fn commit_transaction(
        &mut self,
        proof: &LockProof,
        step: &Step,
        started_at: Instant,
        statements: u32,
    ) -> Result<Vec<Command<'static>>> {
        let migration = &*step.migration;
        let dialect = self.connection.dialect();
        let mut commands = self.connection.before_commit(migration);
        let duration_ms = dialect.elapsed_ms.map_or_else(
            || started_at.elapsed().as_millis().to_string(),
            str::to_owned,
        );
        commands.extend(self.lock_assertions(proof).await?);
        let row = HistoryWrite {
            migration,
            state: finished_state(step),
            duration_ms,
            statements: (statements, statements),
        };
        commands.push(Command::internal(self.history.delete_sql(migration)));
        commands.push(Command::internal(self.history.insert_sql(&row)));
        commands.extend(self.fencing_check());
        commands.push(Command::internal(dialect.commit));
        Ok(commands)
    }
}

/// Converts an error that no command caused.
pub(super) fn at_start(error: lockage_core::Error) -> CommandError {
    CommandError::new(0, error)
}

/// Adds the location in the file and the effect on the migration to an error.
fn map_failure_to_file(
    migration: &Migration,
    statement: Option<&ScriptStatement>,
    failure: CommandError,
) -> CommandError {
    let (command, position, cause) = (failure.command, failure.position, failure.cause);
    let error = match statement {
        Some(statement) => locate_failure(migration, statement, failure),
        None => failure.error,
    };
    let error = match error.kind() {
        ErrorKind::MigrationFailed => {
            error.with_context("effect", "the migration was rolled back as a whole")
        }
        _ => error,
    };
    CommandError::new(command, error)
        .with_position(position)
        .with_cause(cause)
}

/// Reads a script in chunks of bounded size.
struct StatementChunks<'a> {
    statements: StatementReader<'a>,
    /// The first statement of the next chunk.
    lookahead: Option<ScriptStatement>,
    /// The number of statements of the whole script.
    total: u32,
}

impl<'a> StatementChunks<'a> {
    /// Opens the script. A script that the runner has not checked is read to its end first, so that an error at the end of a long
    /// script is reported before its first statement runs.
    fn open(step: &'a Step, dialect: &Dialect) -> Result<Self> {
        let migration = &*step.migration;
        let open = || StatementReader::open(migration, dialect.syntax, true);
        let total = match step.statements {
            Some(total) => total,
            None => count_statements(open()?)?,
        };
        let mut statements = open()?;
        let lookahead = statements.next().transpose()?;
        Ok(Self {
            statements,
            lookahead,
            total,
        })
    }

    /// Returns the next chunk, and whether it is the last.
    fn next(&mut self, ends_call: impl Fn(&str) -> bool) -> Result<(Vec<ScriptStatement>, bool)> {
        let mut chunk = Vec::new();
        let mut bytes = 0;
        while let Some(statement) = self.lookahead.take() {
            bytes += statement.text.len();
            let is_end = bytes >= CHUNK_BYTES || ends_call(&statement.text);
            chunk.push(statement);
            self.lookahead = self.statements.next().transpose()?;
            if is_end {
                break;
            }
        }
        let is_last = self.lookahead.is_none();
        Ok((chunk, is_last))
    }
}
