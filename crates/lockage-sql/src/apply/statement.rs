//! Runs one statement of a script without a transaction, together with its journal row.
//!
//! How the two commit together depends on the statement and on the engine; each shape has a function of its own. Its order of
//! commands is what makes the statement run exactly once.

use lockage_core::{ErrorKind, LockProof, Migration, Step};

use super::progress::Progress;
use super::transactional::at_start;
use crate::command::{AssertionError, Command, CommandError, FailureCause};
use crate::recovery::Resolution;
use crate::script::TransactionControl;
use crate::script_hooks::StatementMode;
use crate::session::{SqlConnection, SqlSession, internal};

/// The statement to run.
#[derive(Clone, Copy)]
pub(super) struct CurrentStatement<'a> {
    pub(super) proof: &'a LockProof,
    pub(super) step: &'a Step,
    /// Its index in the script, from zero.
    pub(super) index: u32,
    pub(super) text: &'a str,
}

impl CurrentStatement<'_> {
    fn migration(&self) -> &Migration {
        &self.step.migration
    }
}

impl<C: SqlConnection> SqlSession<C> {
    /// Runs one statement in the shape that it needs. A failure has been rolled back.
    pub(super) async fn try_statement(
        &mut self,
        current: CurrentStatement<'_>,
        progress: &mut Progress,
    ) -> Result<(), CommandError> {
        let syntax = self.connection.dialect().syntax;
        let was_in_transaction = progress.in_transaction;
        let control = progress
            .savepoints
            .control(current.text, syntax, was_in_transaction);
        self.run_shaped(current, control, progress).await?;
        progress
            .savepoints
            .record(current.text, syntax, was_in_transaction);
        Ok(())
    }

    async fn run_shaped(
        &mut self,
        current: CurrentStatement<'_>,
        control: Option<TransactionControl>,
        progress: &mut Progress,
    ) -> Result<(), CommandError> {
        let dialect = self.connection.dialect();
        match control {
            Some(control) if control.crosses_boundary() && dialect.transactional_ddl => {
                self.run_boundary(current, control, progress).await
            }
            Some(TransactionControl::Begin) => self.run_journaled_begin(current, progress).await,
            Some(control) if control.crosses_boundary() => {
                self.run_journaled_end(current, progress).await
            }
            _ if progress.in_transaction && dialect.transactional_ddl => {
                self.run_inside(current, progress).await
            }
            Some(_) => self.run_with_journal(current, progress).await,
            None => {
                let mode = self.connection.statement_mode(current.text).await;
                match mode.map_err(at_start)? {
                    StatementMode::Autocommit { snapshot } => {
                        self.run_autocommit_statement(current, snapshot.as_deref(), progress)
                            .await
                    }
                    StatementMode::SessionSetting => self.run_session_setting(current).await,
                    StatementMode::WithJournal => self.run_with_journal(current, progress).await,
                }
            }
        }
    }

    async fn run_with_journal(
        &mut self,
        current: CurrentStatement<'_>,
        progress: &mut Progress,
    ) -> Result<(), CommandError> {
        if progress.in_transaction {
            self.run_in_script_transaction(current, progress).await
        } else if self.connection.dialect().transactional_ddl {
            self.run_then_journal(current).await
        } else {
            self.journal_then_run(current).await
        }
    }

    /// A BEGIN of the script, without transactional DDL.
    ///
    /// Order: the lock conditions; BEGIN; its journal row inside the transaction, so that a rollback removes the row too.
    async fn run_journaled_begin(
        &mut self,
        current: CurrentStatement<'_>,
        progress: &mut Progress,
    ) -> Result<(), CommandError> {
        let assertions = self.lock_assertions(current.proof).await;
        let mut commands: Vec<Command<'_>> = assertions.map_err(at_start)?;
        commands.push(Command::Script(current.text));
        commands.extend(internal(self.done_rows(current)));
        commands.extend(internal(self.advance(current.step, current.index)));
        self.run_commands(&commands).await?;
        progress.in_transaction = true;
        Ok(())
    }

    /// A COMMIT or ROLLBACK of the script, without transactional DDL.
    ///
    /// Order: the journal row inside the transaction; the lock conditions and the fencing check, so that only the holder
    /// commits; the statement itself.
    async fn run_journaled_end(
        &mut self,
        current: CurrentStatement<'_>,
        progress: &mut Progress,
    ) -> Result<(), CommandError> {
        let mut commands: Vec<Command<'_>> = internal(self.done_rows(current)).collect();
        commands.extend(internal(self.advance(current.step, current.index)));
        let assertions = self.lock_assertions(current.proof).await;
        commands.extend(assertions.map_err(at_start)?);
        commands.extend(self.fencing_check());
        commands.push(Command::Script(current.text));
        self.run_commands(&commands).await?;
        progress.in_transaction = false;
        Ok(())
    }

    /// A statement that only changes session settings: not journaled, because a run that resumes after it must run it again.
    async fn run_session_setting(
        &mut self,
        current: CurrentStatement<'_>,
    ) -> Result<(), CommandError> {
        let assertions = self.lock_assertions_early(current.proof).await;
        let mut commands: Vec<Command<'_>> = assertions.map_err(at_start)?;
        commands.push(Command::Script(current.text));
        commands.extend(internal(
            self.connection.after_session_setting(current.text),
        ));
        self.run_commands(&commands).await
    }

    /// A statement in a transaction of Lockage, with transactional DDL.
    ///
    /// Order: BEGIN; the statement; then, with the role of the session, because the statement may have assumed another role, the
    /// condition that the journal does not record it as done, its row, the fencing check; COMMIT. A failure of any of these
    /// rolls the statement back.
    async fn run_then_journal(
        &mut self,
        current: CurrentStatement<'_>,
    ) -> Result<(), CommandError> {
        let mut commands = self.begin_statement(current).await?;
        commands.push(Command::Script(current.text));
        commands.extend(internal(self.connection.before_bookkeeping()));
        commands.push(self.not_done_assertion(current));
        commands.extend(internal(self.done_rows(current)));
        commands.extend(self.commit_statement(current));
        self.run_commands(&commands).await
    }

    /// A statement in a transaction of Lockage, without transactional DDL.
    ///
    /// Order: BEGIN; the condition that the journal does not record the statement as done; a row that records it as started,
    /// which persists if the statement commits by itself; the statement; the row is marked as done; the fencing check; COMMIT.
    async fn journal_then_run(
        &mut self,
        current: CurrentStatement<'_>,
    ) -> Result<(), CommandError> {
        let mut commands = self.begin_statement(current).await?;
        commands.push(self.not_done_assertion(current));
        commands.extend(internal(self.started_rows(current, None)));
        commands.push(Command::Script(current.text));
        let state = self.run_and_read_state(current, &mut commands).await?;
        commands.extend(internal(self.connection.before_bookkeeping()));
        commands.push(Command::internal(self.mark_done(current, state)));
        commands.extend(self.commit_statement(current));
        self.run_commands(&commands).await
    }

    /// A statement in a transaction that the script began, without transactional DDL.
    ///
    /// Order: a row that records the statement as started, the statement, the row is marked as done. All of it commits with the
    /// script's COMMIT, or earlier if the statement commits implicitly; then the rows tell which statements are committed.
    async fn run_in_script_transaction(
        &mut self,
        current: CurrentStatement<'_>,
        progress: &mut Progress,
    ) -> Result<(), CommandError> {
        let mut commands: Vec<Command<'_>> = internal(self.started_rows(current, None)).collect();
        commands.push(Command::Script(current.text));
        let state = self.run_and_read_state(current, &mut commands).await?;
        commands.push(Command::internal(self.mark_done(current, state)));
        commands.extend(internal(self.advance(current.step, current.index)));
        self.run_commands(&commands).await?;
        if self.connection.in_transaction() == Some(false) {
            // The statement committed the script's transaction.
            progress.in_transaction = false;
        }
        Ok(())
    }

    /// A statement that commits by itself, and with it the transaction of the script.
    ///
    /// Order: a committed row that records it as started; the statement; a committed row that records it as done. Between the
    /// two rows its outcome is unknown to a later run; see [`Recovery::resolve`](crate::Recovery::resolve).
    async fn run_autocommit_statement(
        &mut self,
        current: CurrentStatement<'_>,
        snapshot: Option<&str>,
        progress: &mut Progress,
    ) -> Result<(), CommandError> {
        let started = self.started_rows(current, snapshot);
        if progress.in_transaction {
            let mut commands: Vec<Command<'_>> = internal(started).collect();
            commands.extend(self.fencing_check());
            self.run_commands(&commands).await?;
        } else {
            self.write_rows(current, started.into()).await?;
        }
        if let Err(failure) = self.connection.run_autocommit(current.text).await {
            return Err(self.autocommit_failed(current, snapshot, failure).await?);
        }
        progress.in_transaction = false;
        let state = self.read_session_state(current).await?;
        let mut rows = vec![self.mark_done(current, state)];
        rows.extend(self.advance(current.step, current.index));
        self.write_rows(current, rows).await
    }

    /// Deletes the started row of a statement that failed; after a lost session the row stays, because the outcome is unknown.
    async fn autocommit_failed(
        &mut self,
        current: CurrentStatement<'_>,
        snapshot: Option<&str>,
        failure: CommandError,
    ) -> Result<CommandError, CommandError> {
        if failure.error.kind() == ErrorKind::SessionLost {
            return Ok(failure);
        }
        let failure = self.roll_back(failure).await;
        let failure = self
            .with_statement_trace(current.text, snapshot, failure)
            .await;
        let delete = self.journal.delete_sql(current.migration(), current.index);
        self.write_rows(current, vec![delete]).await?;
        Ok(failure)
    }

    /// Adds to the error of a failed statement that it changed the schema nevertheless.
    async fn with_statement_trace(
        &mut self,
        text: &str,
        snapshot: Option<&str>,
        failure: CommandError,
    ) -> CommandError {
        if snapshot.is_none() || failure.cause != FailureCause::Other {
            return failure;
        }
        let trace = match self.connection.resolve(text, snapshot).await {
            Ok(Resolution::Applied) => {
                "the statement failed, but the schema is in the state after it".to_owned()
            }
            Ok(Resolution::Unknown(found)) => found,
            _ => return failure,
        };
        failure.map_error(|error| error.with_context("schema", trace))
    }

    /// Returns the commands before a statement in a transaction of Lockage: BEGIN, its settings, and the lock conditions.
    ///
    /// The conditions of a lock in a table are checked before BEGIN: inside a SERIALIZABLE transaction of the script, the row
    /// could stay locked until its end, and the lease could not be renewed. The fencing check at the end decides.
    async fn begin_statement(
        &mut self,
        current: CurrentStatement<'_>,
    ) -> Result<Vec<Command<'static>>, CommandError> {
        let assertions = self.lock_assertions_early(current.proof).await;
        let assertions = assertions.map_err(at_start)?;
        let (outside, inside) = match self.table_lock {
            Some(_) => (assertions, Vec::new()),
            None => (Vec::new(), assertions),
        };
        let mut commands = outside;
        commands.push(Command::internal(self.connection.dialect().begin));
        commands.extend(internal(self.connection.transaction_prologue()));
        commands.extend(inside);
        Ok(commands)
    }

    /// Returns the commands after a statement in a transaction of Lockage: progress, fencing check, COMMIT.
    fn commit_statement(&self, current: CurrentStatement<'_>) -> Vec<Command<'static>> {
        let mut commands: Vec<_> = internal(self.advance(current.step, current.index)).collect();
        commands.extend(self.fencing_check());
        commands.push(Command::internal(self.connection.dialect().commit));
        commands
    }

    fn not_done_assertion(&self, current: CurrentStatement<'_>) -> Command<'static> {
        let (migration, index) = (current.migration(), current.index);
        Command::Assert(
            self.journal.not_done_sql(migration, index),
            AssertionError::new(
                ErrorKind::LockLost,
                format!(
                    "another run executed statement {} of {migration} in the meantime",
                    index + 1
                ),
            ),
        )
    }

    fn started_rows(&self, current: CurrentStatement<'_>, snapshot: Option<&str>) -> [String; 2] {
        let (index, text) = (current.index, current.text);
        self.journal
            .insert_started_sql(current.migration(), index, text, snapshot)
    }

    pub(super) fn done_rows(&self, current: CurrentStatement<'_>) -> [String; 2] {
        self.journal
            .insert_done_sql(current.migration(), current.index, current.text)
    }

    fn mark_done(&self, current: CurrentStatement<'_>, state: Option<String>) -> String {
        self.journal
            .mark_done_sql(current.migration(), current.index, state.as_deref())
    }

    /// If the engine keeps session state, runs the commands up to the statement and reads the state after it.
    async fn run_and_read_state(
        &mut self,
        current: CurrentStatement<'_>,
        commands: &mut Vec<Command<'_>>,
    ) -> Result<Option<String>, CommandError> {
        if self.connection.has_session_state() {
            self.run_commands(&std::mem::take(commands)).await?;
        }
        self.read_session_state(current).await
    }

    async fn read_session_state(
        &mut self,
        current: CurrentStatement<'_>,
    ) -> Result<Option<String>, CommandError> {
        if !self.connection.has_session_state() {
            return Ok(None);
        }
        let state = self.connection.session_state(current.text).await;
        state.map_err(at_start)
    }

    /// Writes journal rows in a transaction of their own.
    async fn write_rows(
        &mut self,
        current: CurrentStatement<'_>,
        rows: Vec<String>,
    ) -> Result<(), CommandError> {
        let assertions = self.lock_assertions(current.proof).await;
        let assertions = assertions.map_err(at_start)?;
        let written = self.write_in_transaction(assertions, rows).await;
        written.map_err(at_start)
    }

    /// Runs commands. A failure rolls the open transaction back; only a failure of the script's statement has a position in it.
    pub(super) async fn run_commands(
        &mut self,
        commands: &[Command<'_>],
    ) -> Result<(), CommandError> {
        let Err(failure) = self.connection.execute(commands, &mut |_| {}).await else {
            return Ok(());
        };
        let is_script = matches!(commands.get(failure.command), Some(Command::Script(_)));
        let failure = if is_script {
            failure
        } else {
            failure.with_position(None)
        };
        Err(self.roll_back(failure).await)
    }
}
