//! A script whose statements commit one by one: the journal says for each that it was begun and that it is done, so that a later
//! run goes on where an earlier one stopped or died.

use std::collections::BTreeMap;

use lockage_core::{StepResult, Error, ErrorKind, Event, LockProof, Location, Observer, Result, Step};

use super::bookkeeping::Run;
use super::retry::Retry;
use crate::SqlSession;
use crate::connection::{FailureCause, Connection, CommandError, StatementMode, Command, AssertionError, Resolution, MigrationContext};
use crate::journal::{self, Line};
use crate::script::{Statement, TransactionControl, transaction_control};
use crate::statements::{Statements, explain, locate};

impl<C: Connection> SqlSession<C> {
    pub(crate) async fn apply_by_statement(
        &mut self,
        held: &LockProof,
        step: &Step,
        observer: &dyn Observer,
    ) -> Result<StepResult> {
        let migration = &*step.migration;
        let syntax = self.connection.dialect().syntax;
        // Read to its end before anything runs: a mistake at the end is told before the beginning is committed.
        let mut total = 0;
        for statement in Statements::open(migration, syntax, false)? {
            statement?;
            total += 1;
        }
        // Once, not before each statement: what a script sets stays set until its end.
        let prepare: Vec<Command<'_>> = self
            .connection
            .prepare(&MigrationContext::new(migration, &self.options))
            .into_iter()
            .map(Command::own)
            .collect();
        self.run_pieces(&prepare).await?;
        let journal = self.open_journal(held, migration).await?;
        if let Some((index, _)) = journal
            .last_key_value()
            .filter(|(index, _)| **index >= total)
        {
            return Err(Error::new(
                ErrorKind::Diverged,
                format!(
                    "statement {} of {migration} was begun or committed and is no longer in the file",
                    index + 1
                ),
            )
            .with_location(Location::file(migration.file()))
            .with_hint("restore what was committed; only what comes behind it may change"));
        }
        self.announce(held, step, total, &journal).await?;

        let mut run = Run::new(total);
        let outcome = self
            .run_statements(held, step, journal, &mut run, observer)
            .await;
        match outcome {
            Ok(()) => {
                self.finish(held, step, &run).await?;
                Ok(StepResult::new(run.ran))
            }
            Err(error) => Err(self.leave_failed(held, migration, &run, error).await),
        }
    }

    async fn run_statements(
        &mut self,
        held: &LockProof,
        step: &Step,
        journal: BTreeMap<u32, Line>,
        run: &mut Run,
        observer: &dyn Observer,
    ) -> Result<()> {
        let migration = &*step.migration;
        let syntax = self.connection.dialect().syntax;
        // What the statements that are committed left in the session of their run.
        let mut keepsake = None;
        for (index, statement) in (0..).zip(Statements::open(migration, syntax, false)?) {
            let statement = statement?;
            let line = journal.get(&index);
            if self
                .is_committed(held, step, index, &statement, line)
                .await?
            {
                keepsake = line.and_then(|line| line.session.clone()).or(keepsake);
            } else {
                if let Some(keepsake) = keepsake.take() {
                    self.connection.restore(&keepsake).await?;
                }
                self.run_statement(held, step, index, &statement, run, observer)
                    .await?;
                run.ran += 1;
            }
            if !run.in_transaction {
                run.done = index + 1;
            }
            observer.on_event(&Event::Statement {
                done: index + 1,
                total: run.total,
            });
        }
        if run.in_transaction {
            let open = Error::new(
                ErrorKind::InvalidMigration,
                "the script leaves a transaction open",
            )
            .with_location(Location::file(migration.file()))
            .with_hint("end it with COMMIT");
            return Err(open);
        }
        Ok(())
    }

    /// What the journal, and the server where the journal does not know, say of a statement.
    async fn is_committed(
        &mut self,
        held: &LockProof,
        step: &Step,
        index: u32,
        statement: &Statement,
        line: Option<&Line>,
    ) -> Result<bool> {
        let migration = &*step.migration;
        let Some(line) = line else { return Ok(false) };
        let doubt = |text: String| {
            Error::new(ErrorKind::Diverged, text).with_location(locate(migration, statement, None))
        };
        if line.checksum != journal::checksum(&statement.text) {
            let what = if line.done {
                "is committed"
            } else {
                "was begun, and its end is not known,"
            };
            return Err(doubt(format!(
                "statement {} of {migration} {what} with another text",
                index + 1
            ))
            .with_hint("restore the statement; what comes behind it may change"));
        }
        if line.done {
            return Ok(true);
        }
        match self.connection.resolve_with_snapshot(&statement.text, line.before.as_deref()).await? {
            Resolution::Applied => {
                // Written down now: later statements change the schema by which it was found out.
                let lock = self.require_lock(held).await?;
                let mut rows = vec![self.journal.done(migration, index, None)];
                rows.extend(self.advance(step, index));
                self.write(lock, rows).await?;
                Ok(true)
            }
            Resolution::NotApplied => Ok(false),
            Resolution::Unknown(seen) => Err(doubt(format!(
                "a run died while statement {} of {migration} was under way, and whether it took effect is not known: {seen}",
                index + 1
            ))
            .with_hint(
                "look at the schema; then `lockage repair --settle done` when it took effect, or `lockage repair --settle again` \
                 to run it again",
            )),
        }
    }

    async fn run_statement(
        &mut self,
        held: &LockProof,
        step: &Step,
        index: u32,
        statement: &Statement,
        run: &mut Run,
        observer: &dyn Observer,
    ) -> Result<()> {
        let mut retry = Retry::new();
        loop {
            let was_in_transaction = run.in_transaction;
            let outcome = self.try_statement(held, step, index, statement, run).await;
            self.tell_notices(observer);
            let Err(failure) = outcome else {
                return Ok(());
            };
            // In a transaction of the script's own, what ran before in it is gone as well.
            let failure = if was_in_transaction {
                CommandError {
                    cause: FailureCause::Other,
                    ..failure
                }
            } else {
                failure
            };
            if let Err(failure) = retry.pause_after(failure, step, observer).await {
                return Err(explain(&step.migration, statement, failure));
            }
        }
    }

    async fn try_statement(
        &mut self,
        held: &LockProof,
        step: &Step,
        index: u32,
        statement: &Statement,
        run: &mut Run,
    ) -> Result<(), CommandError> {
        let plain = |error| CommandError::new(0, error);
        let migration = &*step.migration;
        let dialect = self.connection.dialect();
        let text = statement.text.as_str();
        let script = || Command::Script(text);
        let own = |rows: Vec<String>| rows.into_iter().map(Command::own);
        let mut pieces: Vec<Command<'_>> = Vec::new();
        match transaction_control(text, dialect.syntax) {
            Some(control) if control.crosses_boundary() && dialect.transactional_ddl => {
                return self
                    .cross_boundary(held, step, index, text, control, run)
                    .await;
            }
            Some(TransactionControl::Begin) => {
                pieces.extend(self.require_lock(held).await.map_err(plain)?);
                pieces.push(script());
                pieces.extend(own(self.journal.record(migration, index, text).into()));
                pieces.extend(own(self.advance(step, index)));
                self.run_pieces(&pieces).await?;
                run.in_transaction = true;
                return Ok(());
            }
            Some(control) if control.crosses_boundary() => {
                pieces.extend(own(self.journal.record(migration, index, text).into()));
                pieces.extend(own(self.advance(step, index)));
                pieces.extend(self.require_lock(held).await.map_err(plain)?);
                pieces.extend(self.fence());
                pieces.push(script());
                self.run_pieces(&pieces).await?;
                run.in_transaction = false;
                return Ok(());
            }
            _ if run.in_transaction && dialect.transactional_ddl => {
                return self.run_within(migration, index, text, run).await;
            }
            Some(_) => {}
            None => match self.connection.statement_mode(text).await.map_err(plain)? {
                StatementMode::Autocommit { before } => {
                    let before = before.as_deref();
                    return self.run_alone(held, step, index, text, before, run).await;
                }
                StatementMode::SessionSetting => {
                    pieces.extend(self.require_lock_first(held).await.map_err(plain)?);
                    pieces.push(script());
                    pieces.extend(own(self.connection.after_session_setting(text)));
                    return self.run_pieces(&pieces).await;
                }
                StatementMode::WithJournal => {}
            },
        }
        // One transaction, be it ours or the script's own, holds the statement and its row.
        if !run.in_transaction {
            let lock = self.require_lock_first(held).await.map_err(plain)?;
            // Read in a transaction, a lock in a table may stay locked until its end, where a script asks for SERIALIZABLE, and its lease
            // could not be renewed. The fence at the end is what counts.
            let (outside, inside) = match self.table_lock {
                Some(_) => (lock, Vec::new()),
                None => (Vec::new(), lock),
            };
            pieces.extend(outside);
            pieces.push(Command::own(dialect.begin));
            pieces.extend(own(self.connection.within()));
            pieces.extend(inside);
        }
        let not_done = Command::Assert(
            self.journal.not_done(migration, index),
            AssertionError::new(
                ErrorKind::LockLost,
                format!(
                    "another run has done statement {} of {migration} meanwhile",
                    index + 1
                ),
            ),
        );
        // Where a statement may have taken other rights, the journal is read and written behind it, as ourselves: nothing of it stays
        // if that fails.
        let behind = dialect.transactional_ddl;
        if !run.in_transaction && !behind {
            pieces.push(not_done.clone());
        }
        if !behind {
            // It stays if the statement commits by itself.
            pieces.extend(own(self.journal.start(migration, index, text, None).into()));
        }
        pieces.push(script());
        let mut keepsake = None;
        if self.connection.has_session_state() {
            self.run_pieces(&std::mem::take(&mut pieces)).await?;
            keepsake = self.connection.keepsake(text).await.map_err(plain)?;
        }
        if !run.in_transaction {
            pieces.extend(own(self.connection.before_bookkeeping()));
            pieces.extend(behind.then_some(not_done));
        }
        pieces.extend(own(if behind {
            self.journal.record(migration, index, text).into()
        } else {
            vec![self.journal.done(migration, index, keepsake.as_deref())]
        }));
        pieces.extend(own(self.advance(step, index)));
        if !run.in_transaction {
            pieces.extend(self.fence());
            pieces.push(Command::own(dialect.commit));
        }
        self.run_pieces(&pieces).await?;
        if run.in_transaction && self.connection.in_transaction() == Some(false) {
            // The statement committed what the script had begun.
            run.in_transaction = false;
        }
        Ok(())
    }

    /// Runs a statement that commits by itself, and what the script had begun along with it.
    async fn run_alone(
        &mut self,
        held: &LockProof,
        step: &Step,
        index: u32,
        text: &str,
        before: Option<&str>,
        run: &mut Run,
    ) -> Result<(), CommandError> {
        let plain = |error| CommandError::new(0, error);
        let migration = &*step.migration;
        let started = self.journal.start(migration, index, text, before);
        if run.in_transaction {
            let mut pieces: Vec<Command<'_>> = started.map(Command::own).into();
            pieces.extend(self.fence());
            self.run_pieces(&pieces).await?;
        } else {
            let lock = self.require_lock(held).await.map_err(plain)?;
            self.write(lock, started.into()).await.map_err(plain)?;
        }
        if let Err(failure) = self.connection.run_autocommit(text).await {
            if failure.error.kind() == ErrorKind::SessionLost {
                return Err(failure);
            }
            let failure = self.roll_back(failure).await;
            let failure = self.with_traces(text, before, failure).await;
            let erase = self.journal.erase(migration, index);
            let lock = self.require_lock(held).await.map_err(plain)?;
            self.write(lock, vec![erase]).await.map_err(plain)?;
            return Err(failure);
        }
        run.in_transaction = false;
        let keepsake = if self.connection.has_session_state() {
            self.connection.keepsake(text).await.map_err(plain)?
        } else {
            None
        };
        let mut rows = vec![self.journal.done(migration, index, keepsake.as_deref())];
        rows.extend(self.advance(step, index));
        let lock = self.require_lock(held).await.map_err(plain)?;
        self.write(lock, rows).await.map_err(plain)
    }

    /// Says of a statement that failed when it left traces all the same.
    async fn with_traces(&mut self, text: &str, before: Option<&str>, failure: CommandError) -> CommandError {
        if before.is_none() || failure.cause != FailureCause::Other {
            return failure;
        }
        let traces = match self.connection.resolve_with_snapshot(text, before).await {
            Ok(Resolution::Applied) => "the statement failed, and yet the schema is as it would leave it",
            Ok(Resolution::Unknown(seen)) => {
                let error = failure.error.with_context("schema", seen);
                return CommandError { error, ..failure };
            }
            _ => return failure,
        };
        let error = failure.error.with_context("schema", traces);
        CommandError { error, ..failure }
    }

    /// Runs pieces; a failure among them ends the open transaction and speaks of the script's statement.
    pub(super) async fn run_pieces(&mut self, pieces: &[Command<'_>]) -> Result<(), CommandError> {
        let Err(failure) = self.connection.run(pieces, &mut |_| {}).await else {
            return Ok(());
        };
        let of_script = matches!(pieces.get(failure.piece), Some(Command::Script(_)));
        let failure = if of_script {
            failure
        } else {
            CommandError {
                place: None,
                ..failure
            }
        };
        Err(self.roll_back(failure).await)
    }
}
