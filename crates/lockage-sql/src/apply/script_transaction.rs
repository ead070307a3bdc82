//! A transaction that a script begins and ends itself, on engines with transactional DDL. On SQLite, an outermost savepoint is one
//! too.
//!
//! Lockage writes nothing in it before its COMMIT. After BEGIN, a script may set the kind of the transaction, which must be its
//! first statement; and a role that it assumes for the transaction may have no access to the journal. Directly before the COMMIT,
//! the rows of all its statements are written, so that they commit together with the statements.

use super::progress::Progress;
use super::statement::CurrentStatement;
use super::transactional::at_start;
use crate::command::{Command, CommandError};
use crate::script::TransactionControl;
use crate::script_hooks::StatementMode;
use crate::session::{SqlConnection, SqlSession, internal};

impl<C: SqlConnection> SqlSession<C> {
    /// Runs a statement that begins or ends the transaction.
    pub(super) async fn run_boundary(
        &mut self,
        current: CurrentStatement<'_>,
        control: TransactionControl,
        progress: &mut Progress,
    ) -> Result<(), CommandError> {
        match control {
            TransactionControl::Begin => self.run_begin(current, progress).await,
            TransactionControl::Rollback => {
                // Rolled back statements left nothing, so that a run that resumes after a failure may run them again.
                progress.pending_rows.clear();
                self.run_commands(&[Command::Script(current.text)]).await?;
                progress.in_transaction = false;
                Ok(())
            }
            _ => self.run_commit(current, progress).await,
        }
    }

    /// Order: the lock in a call of its own, because a query in the call of BEGIN would be the first query of the transaction;
    /// then BEGIN and the settings that hold for a transaction.
    async fn run_begin(
        &mut self,
        current: CurrentStatement<'_>,
        progress: &mut Progress,
    ) -> Result<(), CommandError> {
        let assertions = self.lock_assertions_early(current.proof).await;
        let assertions = assertions.map_err(at_start)?;
        if !assertions.is_empty() {
            self.run_commands(&assertions).await?;
        }
        let mut commands = vec![Command::Script(current.text)];
        commands.extend(internal(self.connection.after_begin()));
        self.run_commands(&commands).await?;
        progress.in_transaction = true;
        progress.pending_rows.extend(self.done_rows(current));
        Ok(())
    }

    /// Order: the role of the session first, because the script's role may have no access to the tables; the lock conditions;
    /// the journal rows of all statements of the transaction; the fencing check; COMMIT.
    async fn run_commit(
        &mut self,
        current: CurrentStatement<'_>,
        progress: &mut Progress,
    ) -> Result<(), CommandError> {
        let mut commands: Vec<Command<'_>> =
            internal(self.connection.before_bookkeeping()).collect();
        let assertions = self.lock_assertions(current.proof).await;
        commands.extend(assertions.map_err(at_start)?);
        commands.extend(internal(std::mem::take(&mut progress.pending_rows)));
        commands.extend(internal(self.done_rows(current)));
        commands.extend(internal(self.advance(current.step, current.index)));
        commands.extend(self.fencing_check());
        commands.push(Command::Script(current.text));
        self.run_commands(&commands).await?;
        progress.in_transaction = false;
        Ok(())
    }

    /// Runs a statement inside the transaction.
    pub(super) async fn run_inside(
        &mut self,
        current: CurrentStatement<'_>,
        progress: &mut Progress,
    ) -> Result<(), CommandError> {
        let mode = self.connection.statement_mode(current.text).await;
        let mut commands = vec![Command::Script(current.text)];
        // A statement that only changes settings is not journaled: a session that resumes after it must run it again.
        let is_setting = mode.map_err(at_start)? == StatementMode::SessionSetting;
        if is_setting {
            let restore = self.connection.after_session_setting(current.text);
            commands.extend(internal(restore));
        }
        self.run_commands(&commands).await?;
        if !is_setting {
            progress.pending_rows.extend(self.done_rows(current));
        }
        Ok(())
    }
}
