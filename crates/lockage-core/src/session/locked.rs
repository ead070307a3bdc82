use std::sync::Arc;

use super::traits::{Canceller, Session};
use crate::Result;
use crate::event::Observer;
use crate::history::History;
use crate::lock::{LockKey, LockProof};
use crate::step::{Step, StepResult};

/// A session that holds the lock: the only type in Lockage that can write.
///
/// Dropping it closes the session, and the server frees the lock. [`release`](Self::release) releases the lock in order and
/// reports errors.
#[derive(Debug)]
pub struct Locked {
    session: Box<dyn Session>,
    proof: LockProof,
}

impl Locked {
    pub(super) fn new(session: Box<dyn Session>, proof: LockProof) -> Self {
        Self { session, proof }
    }

    /// Returns the key of the lock.
    pub fn key(&self) -> &LockKey {
        self.proof.key()
    }

    /// Returns the keys of the foreign locks that were acquired with it.
    pub fn foreign_keys(&self) -> &[LockKey] {
        self.proof.foreign_keys()
    }

    /// Asks the server whether the session still holds the lock and all foreign locks.
    pub async fn holds(&mut self) -> Result<bool> {
        for key in self.proof.foreign_keys() {
            if !self.session.holds(key).await? {
                return Ok(false);
            }
        }
        self.session.holds(self.proof.key()).await
    }

    /// Reads the history; see [`Migrator::history`](crate::Migrator::history).
    pub async fn history(&mut self) -> Result<History> {
        self.session.history().await
    }

    /// Creates the history table if it does not exist; see [`Migrator::ensure_history`](crate::Migrator::ensure_history).
    pub async fn ensure_history(&mut self) -> Result<()> {
        self.session.ensure_history(&self.proof).await
    }

    /// Executes one step; see [`Migrator::apply`](crate::Migrator::apply).
    pub async fn apply(&mut self, step: &Step, observer: &dyn Observer) -> Result<StepResult> {
        self.session.apply(&self.proof, step, observer).await
    }

    /// Returns a handle that cancels the running statement.
    pub fn canceller(&self) -> Arc<dyn Canceller> {
        self.session.canceller()
    }

    /// Releases the foreign locks in reverse order, then the lock itself, and returns the session.
    pub(super) async fn unlock_all(mut self) -> Result<Box<dyn Session>> {
        for key in self.proof.foreign_keys().iter().rev() {
            self.session.unlock(key).await?;
        }
        self.session.unlock(self.proof.key()).await?;
        Ok(self.session)
    }
}
