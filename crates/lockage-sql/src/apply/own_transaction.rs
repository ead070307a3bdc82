//! A transaction that a script begins and ends itself, on engines whose schema changes can be part of one.
//!
//! Nothing of ours stands in it until its COMMIT: behind BEGIN a script may say what kind of transaction it is to be, which must come first,
//! and a role that it takes for the transaction has no business with the journal. Right before the COMMIT the rows of all its statements are
//! written, so that they commit with what they speak of.

use lockage_core::{LockProof, Migration, Step};

use super::bookkeeping::Run;
use crate::SqlSession;
use crate::connection::{Connection, CommandError, StatementMode, Command};
use crate::script::TransactionControl;

impl<C: Connection> SqlSession<C> {
    /// Runs a statement that begins or ends the transaction.
    pub(super) async fn cross_boundary(
        &mut self,
        held: &LockProof,
        step: &Step,
        index: u32,
        text: &str,
        control: TransactionControl,
        run: &mut Run,
    ) -> Result<(), CommandError> {
        let plain = |error| CommandError::new(0, error);
        let record = self.journal.record(&step.migration, index, text);
        match control {
            TransactionControl::Begin => {
                // A call of its own: in one call with BEGIN it would count as the first query of the transaction.
                let lock = self.require_lock_first(held).await.map_err(plain)?;
                if !lock.is_empty() {
                    self.run_pieces(&lock).await?;
                }
                let mut pieces = vec![Command::Script(text)];
                let behind = self.connection.after_begin();
                pieces.extend(behind.into_iter().map(Command::own));
                self.run_pieces(&pieces).await?;
                run.in_transaction = true;
                run.rows.extend(record);
            }
            TransactionControl::Rollback => {
                // What is rolled back left nothing, so whoever goes on behind a failure may run it again.
                run.rows.clear();
                self.run_pieces(&[Command::Script(text)]).await?;
                run.in_transaction = false;
            }
            _ => {
                let own = |rows: Vec<String>| rows.into_iter().map(Command::own);
                let mut pieces: Vec<Command<'static>> = Vec::new();
                pieces.extend(own(self.connection.before_bookkeeping()));
                pieces.extend(self.require_lock(held).await.map_err(plain)?);
                pieces.extend(own(std::mem::take(&mut run.rows)));
                pieces.extend(own(record.into()));
                pieces.extend(own(self.advance(step, index)));
                pieces.extend(self.fence());
                let mut pieces: Vec<Command<'_>> = pieces;
                pieces.push(Command::Script(text));
                self.run_pieces(&pieces).await?;
                run.in_transaction = false;
            }
        }
        Ok(())
    }

    /// Runs a statement within the transaction.
    pub(super) async fn run_within(
        &mut self,
        migration: &Migration,
        index: u32,
        text: &str,
        run: &mut Run,
    ) -> Result<(), CommandError> {
        let manner = self.connection.statement_mode(text).await;
        let mut pieces = vec![Command::Script(text)];
        // What only sets something is not journaled: a later session that goes on behind it must run it again.
        let sets = manner.map_err(|error| CommandError::new(0, error))? == StatementMode::SessionSetting;
        if sets {
            let behind = self.connection.after_session_setting(text);
            pieces.extend(behind.into_iter().map(Command::own));
        }
        self.run_pieces(&pieces).await?;
        if !sets {
            run.rows.extend(self.journal.record(migration, index, text));
        }
        Ok(())
    }
}
