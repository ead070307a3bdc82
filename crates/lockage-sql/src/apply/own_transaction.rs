//! A transaction that a script begins and ends itself, on engines whose schema changes can be part of one.
//!
//! Nothing of ours stands in it until its COMMIT: behind BEGIN a script may say what kind of transaction it is to be, which must come first,
//! and a role that it takes for the transaction has no business with the journal. Right before the COMMIT the rows of all its statements are
//! written, so that they commit with what they speak of.

use lockage_core::{Held, Migration, Step};

use super::bookkeeping::Run;
use crate::SqlSession;
use crate::connection::{Connection, Failure, Manner, Piece};
use crate::script::TransactionControl;

impl<C: Connection> SqlSession<C> {
    /// Runs a statement that begins or ends the transaction.
    pub(super) async fn cross_boundary(
        &mut self,
        held: &Held,
        step: &Step,
        index: u32,
        text: &str,
        control: TransactionControl,
        run: &mut Run,
    ) -> Result<(), Failure> {
        let plain = |error| Failure::new(0, error);
        let record = self.journal.record(&step.migration, index, text);
        match control {
            TransactionControl::Begin => {
                // A call of its own: in one call with BEGIN it would count as the first query of the transaction.
                let lock = self.require_lock_first(held).await.map_err(plain)?;
                if !lock.is_empty() {
                    self.run_pieces(&lock).await?;
                }
                let mut pieces = vec![Piece::Script(text)];
                let behind = self.connection.behind_begin();
                pieces.extend(behind.into_iter().map(Piece::own));
                self.run_pieces(&pieces).await?;
                run.in_transaction = true;
                run.rows.extend(record);
            }
            TransactionControl::Rollback => {
                // What is rolled back left nothing, so whoever goes on behind a failure may run it again.
                run.rows.clear();
                self.run_pieces(&[Piece::Script(text)]).await?;
                run.in_transaction = false;
            }
            _ => {
                let own = |rows: Vec<String>| rows.into_iter().map(Piece::own);
                let mut pieces: Vec<Piece<'static>> = Vec::new();
                pieces.extend(own(self.connection.before_rows()));
                pieces.extend(self.require_lock(held).await.map_err(plain)?);
                pieces.extend(own(std::mem::take(&mut run.rows)));
                pieces.extend(own(record.into()));
                pieces.extend(own(self.advance(step, index)));
                pieces.extend(self.fence());
                let mut pieces: Vec<Piece<'_>> = pieces;
                pieces.push(Piece::Script(text));
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
    ) -> Result<(), Failure> {
        let manner = self.connection.manner(text).await;
        let mut pieces = vec![Piece::Script(text)];
        // What only sets something is not journaled: a later session that goes on behind it must run it again.
        let sets = manner.map_err(|error| Failure::new(0, error))? == Manner::Session;
        if sets {
            let behind = self.connection.behind_setting(text);
            pieces.extend(behind.into_iter().map(Piece::own));
        }
        self.run_pieces(&pieces).await?;
        if !sets {
            run.rows.extend(self.journal.record(migration, index, text));
        }
        Ok(())
    }
}
