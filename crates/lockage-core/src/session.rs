use std::fmt;
use std::sync::Arc;

use crate::{
    Applied, Canceller, Capabilities, Held, History, LockHolder, LockKey, LockProvider, Migrator,
    Observer, Result, Step,
};

/// One connection to a database, dedicated to migrating it and never pooled: lock, history and scripts share it, so a lost
/// session cannot go on writing.
pub trait Session: LockProvider + Migrator + fmt::Debug {}

impl<T: LockProvider + Migrator + fmt::Debug + ?Sized> Session for T {}

/// A session without the lock. It may look; it cannot write:
///
/// ```compile_fail,E0599
/// # async fn f(mut session: lockage_core::Unlocked, step: lockage_core::Step) {
/// session.apply(&step, &lockage_core::NoObserver).await;
/// # }
/// ```
#[derive(Debug)]
pub struct Unlocked {
    session: Box<dyn Session>,
}

/// What came of trying to take the lock.
#[derive(Debug)]
pub enum Attempt {
    /// The lock is ours.
    Locked(Locked),
    /// Somebody else holds it.
    Busy(Unlocked),
}

impl Unlocked {
    /// Wraps a backend's session.
    pub fn new(session: Box<dyn Session>) -> Self {
        Self { session }
    }

    /// What the engine can do.
    pub fn capabilities(&self) -> Capabilities {
        self.session.capabilities()
    }

    /// Reads the history; see [`Migrator::history`].
    pub async fn history(&mut self) -> Result<History> {
        self.session.history().await
    }

    /// Tells who holds a lock; see [`LockProvider::holder`].
    pub async fn holder(&mut self, key: &LockKey) -> Result<Option<LockHolder>> {
        self.session.holder(key).await
    }

    /// Tries once to take the lock; see [`LockProvider::try_lock`]. An error ends the session.
    ///
    /// Cancel safe: a dropped future drops the session, which frees a lock that it may have got.
    pub async fn try_lock(mut self, key: &LockKey) -> Result<Attempt> {
        if self.session.try_lock(key).await? {
            Ok(Attempt::Locked(Locked {
                session: self.session,
                held: Held::new(key.clone()),
            }))
        } else {
            Ok(Attempt::Busy(self))
        }
    }

    /// Ends the session.
    pub async fn close(self) -> Result<()> {
        self.session.close().await
    }
}

/// A session that took the lock: the only thing in Lockage that can write.
///
/// Dropping it ends the session, and the server frees the lock. [`release`](Self::release) does so in good order.
#[derive(Debug)]
pub struct Locked {
    session: Box<dyn Session>,
    held: Held,
}

impl Locked {
    /// The lock.
    pub fn key(&self) -> &LockKey {
        self.held.key()
    }

    /// Asks the server whether the lock is still held.
    pub async fn holds(&mut self) -> Result<bool> {
        self.session.holds(self.held.key()).await
    }

    /// Takes the lock again, which changes nothing; see [`LockProvider::try_lock`].
    pub async fn try_lock_again(&mut self) -> Result<bool> {
        self.session.try_lock(self.held.key()).await
    }

    /// Reads the history; see [`Migrator::history`].
    pub async fn history(&mut self) -> Result<History> {
        self.session.history().await
    }

    /// Makes the table of the history where it is missing; see [`Migrator::ensure_history`].
    pub async fn ensure_history(&mut self) -> Result<()> {
        self.session.ensure_history(&self.held).await
    }

    /// Does one step; see [`Migrator::apply`].
    pub async fn apply(&mut self, step: &Step, observer: &dyn Observer) -> Result<Applied> {
        self.session.apply(&self.held, step, observer).await
    }

    /// A handle that cancels the statement in hand.
    pub fn canceller(&self) -> Arc<dyn Canceller> {
        self.session.canceller()
    }

    /// Gives the lock back, checks the answer, and returns the session.
    ///
    /// # Errors
    /// [`ErrorKind::LockLost`](crate::ErrorKind::LockLost) when the lock was no longer held. Any error ends the session.
    pub async fn release(mut self) -> Result<Unlocked> {
        self.session.unlock(self.held.key()).await?;
        Ok(Unlocked {
            session: self.session,
        })
    }
}
