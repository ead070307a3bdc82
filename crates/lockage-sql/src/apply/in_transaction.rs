//! A script and its history row in one transaction.

use std::time::Instant;

use lockage_core::{
    Action, StepResult, ErrorKind, Event, LockProof, Migration, Observer, Result, State, Step,
};

use super::retry::Retry;
use crate::SqlSession;
use crate::connection::{Connection, CommandError, Command, AssertionError, MigrationContext};
use crate::history::Entry;
use crate::script::Statement;
use crate::statements::{Statements, explain};

/// How much of a script is sent at once. A script that fits goes to the server with its history row in one call; a longer one is
/// never held in memory as a whole.
const CHUNK_BYTES: usize = 1024 * 1024;

impl<C: Connection> SqlSession<C> {
    pub(crate) async fn apply_in_transaction(
        &mut self,
        held: &LockProof,
        step: &Step,
        observer: &dyn Observer,
    ) -> Result<StepResult> {
        let mut retry = Retry::new();
        loop {
            match self.try_transaction(held, step, observer).await {
                Ok(applied) => return Ok(applied),
                Err(failure) => {
                    let failure = self.roll_back(failure).await;
                    retry.pause_after(failure, step, observer).await?;
                }
            }
        }
    }

    async fn try_transaction(
        &mut self,
        held: &LockProof,
        step: &Step,
        observer: &dyn Observer,
    ) -> Result<StepResult, CommandError> {
        let plain = |error| CommandError::new(0, error);
        let migration = &*step.migration;
        let dialect = self.connection.dialect();
        let begun = Instant::now();
        let mut script = Chunks::open(migration, dialect).map_err(plain)?;
        let mut done = 0;

        let mut head: Vec<Command<'static>> = self
            .connection
            .prepare(&MigrationContext::new(migration, &self.options))
            .into_iter()
            .map(Command::own)
            .collect();
        head.push(Command::own(dialect.begin));
        head.extend(self.connection.within().into_iter().map(Command::own));
        head.extend(self.requirements(held, step).await.map_err(plain)?);
        head.push(Command::Assert(
            self.history.not_begun(migration),
            AssertionError::new(
                ErrorKind::Diverged,
                format!("a part of {migration} is committed already, and the rest is not to run in a transaction"),
            ),
        ));
        loop {
            let (chunk, last) = script.next().map_err(plain)?;
            let mut pieces: Vec<Command<'_>> = std::mem::take(&mut head);
            let first = pieces.len();
            pieces.extend(chunk.iter().map(|statement| Command::Script(&statement.text)));
            let behind = pieces.len();
            if last {
                pieces.extend(self.connection.before_commit(migration));
                let took = dialect
                    .elapsed_ms
                    .map_or_else(|| begun.elapsed().as_millis().to_string(), str::to_owned);
                // Once more: a script can give the lock away.
                pieces.extend(self.require_lock(held).await.map_err(plain)?);
                pieces.extend(self.row_of(step, took, script.total).map(Command::own));
                pieces.extend(self.fence());
                pieces.push(Command::own(dialect.commit));
            }
            let total = script.total;
            let mut tell = |index: usize| {
                if (first..behind).contains(&index) {
                    done += 1;
                    observer.on_event(&Event::Statement { done, total });
                }
            };
            let outcome = self.connection.run(&pieces, &mut tell).await;
            self.tell_notices(observer);
            if let Err(failure) = outcome {
                let statement = failure
                    .piece
                    .checked_sub(first)
                    .and_then(|index| chunk.get(index));
                return Err(in_its_place(migration, statement, failure));
            }
            if last {
                return Ok(StepResult::new(done));
            }
        }
    }

    /// What the history says once the step is done.
    fn row_of(
        &self,
        step: &Step,
        duration_ms: String,
        statements: u32,
    ) -> impl Iterator<Item = String> + use<C> {
        let migration = &*step.migration;
        let state = if step.action == Action::Undo {
            State::Undone
        } else {
            State::Applied
        };
        let entry = Entry {
            migration,
            state,
            duration_ms,
            statements: (statements, statements),
        };
        [self.history.delete(migration), self.history.insert(&entry)].into_iter()
    }
}

/// Says where it failed, and what that means for the migration.
fn in_its_place(migration: &Migration, statement: Option<&Statement>, failure: CommandError) -> CommandError {
    let (piece, place, cause) = (failure.piece, failure.place, failure.cause);
    let error = match statement {
        Some(statement) => explain(migration, statement, failure),
        None => failure.error,
    };
    let error = match error.kind() {
        ErrorKind::MigrationFailed => {
            error.with_context("effect", "the migration was rolled back as a whole")
        }
        _ => error,
    };
    CommandError {
        piece,
        place,
        cause,
        error,
    }
}

/// Reads a script in pieces of bounded size.
struct Chunks<'a> {
    statements: Statements<'a>,
    /// The first statement of the next chunk.
    ahead: Option<Statement>,
    /// How many statements the whole script has.
    total: u32,
}

impl<'a> Chunks<'a> {
    /// Counts the statements first: a mistake at the end of a long script is told before its beginning runs.
    fn open(migration: &'a Migration, dialect: &crate::Dialect) -> Result<Self> {
        let mut total = 0;
        for statement in Statements::open(migration, dialect.syntax, true)? {
            statement?;
            total += 1;
        }
        let mut statements = Statements::open(migration, dialect.syntax, true)?;
        let ahead = statements.next().transpose()?;
        Ok(Self {
            statements,
            ahead,
            total,
        })
    }

    /// The next chunk, and whether it is the last.
    fn next(&mut self) -> Result<(Vec<Statement>, bool)> {
        let mut chunk = Vec::new();
        let mut bytes = 0;
        while let Some(statement) = self.ahead.take() {
            bytes += statement.text.len();
            chunk.push(statement);
            self.ahead = self.statements.next().transpose()?;
            if bytes >= CHUNK_BYTES {
                break;
            }
        }
        let last = self.ahead.is_none();
        Ok((chunk, last))
    }
}
