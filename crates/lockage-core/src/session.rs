use std::fmt;
use std::sync::Arc;

use crate::lock::{tables, tools};
use crate::{
    Canceller, Capabilities, Error, ErrorKind, ForeignLock, ForeignLocks, History, LockHolder,
    LockKey, LockProof, LockProvider, Migrator, Observer, Result, Step, StepResult, Tool,
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
    refused: Option<LockKey>,
}

/// The locks of neighbours, as a session finds them.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ResolvedForeignLocks {
    /// Those that can be taken.
    pub locks: Vec<LockKey>,
    /// The tools that were found in the database and whose locks cannot be taken, with the reason.
    pub left_out: Vec<(Tool, Error)>,
}

/// What came of trying to take the lock.
#[derive(Debug)]
pub enum TryLock {
    /// The lock is ours.
    Acquired(Locked),
    /// Somebody else holds it.
    Busy(Unlocked),
}

impl Unlocked {
    /// Wraps a backend's session.
    pub fn new(session: Box<dyn Session>) -> Self {
        Self {
            session,
            refused: None,
        }
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
    pub async fn try_lock(self, key: &LockKey) -> Result<TryLock> {
        self.try_lock_all(key, &[]).await
    }

    /// Tries once to take the lock and those of neighbours: all of them, or none. Ours comes first, so that whoever waits for it leaves
    /// the neighbours alone, then theirs in the order of what the engine calls them; nothing is waited for while anything is held, so no
    /// two runs can hold each other up for good.
    ///
    /// Cancel safe, as [`try_lock`](Self::try_lock).
    pub async fn try_lock_all(mut self, key: &LockKey, neighbours: &[LockKey]) -> Result<TryLock> {
        let own = self.session.native_lock_name(key);
        let mut theirs: Vec<_> = neighbours
            .iter()
            .map(|neighbour| (self.session.native_lock_name(neighbour), neighbour))
            .filter(|(name, _)| *name != own)
            .collect();
        theirs.sort();
        theirs.dedup_by(|a, b| a.0 == b.0);
        let mut taken: Vec<&LockKey> = Vec::new();
        for lock in std::iter::once(key).chain(theirs.into_iter().map(|(_, lock)| lock)) {
            let failed = match self.session.try_lock(lock).await {
                Ok(true) => {
                    taken.push(lock);
                    continue;
                }
                Ok(false) => None,
                Err(error) => Some(error),
            };
            for lock in taken.into_iter().rev() {
                let freed = self.session.unlock(lock).await;
                if failed.is_none() {
                    freed?;
                }
            }
            if let Some(error) = failed {
                return Err(error);
            }
            self.refused = Some(lock.clone());
            return Ok(TryLock::Busy(self));
        }
        let neighbours = taken.into_iter().skip(1).cloned().collect();
        Ok(TryLock::Acquired(Locked {
            session: self.session,
            held: LockProof::new(key.clone(), neighbours),
        }))
    }

    /// The lock that somebody else held when this session last tried.
    pub fn refused(&self) -> Option<&LockKey> {
        self.refused.as_ref()
    }

    /// The locks of neighbours: of those that are named, and, where that is asked for, of those whose tables are found in the database.
    /// Takes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) with the reason where the lock of one that is named cannot be taken.
    pub async fn neighbours(&mut self, align: &ForeignLocks) -> Result<ResolvedForeignLocks> {
        let mut neighbours = ResolvedForeignLocks::default();
        for named in align.named() {
            neighbours.locks.extend(self.locks_of(named).await?);
        }
        if !align.is_auto() {
            return Ok(neighbours);
        }
        let found = self.session.find_tables(&tables()).await?;
        for tool in tools(&found) {
            let neighbour = ForeignLock::Tool(tool);
            if align.named().contains(&neighbour) {
                continue;
            }
            match self.locks_of(&neighbour).await {
                Ok(locks) => neighbours.locks.extend(locks),
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    neighbours.left_out.push((tool, error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(neighbours)
    }

    async fn locks_of(&mut self, neighbour: &ForeignLock) -> Result<Vec<LockKey>> {
        if let ForeignLock::Tool(tool) = neighbour {
            tool.has_lock()?;
        }
        self.session.foreign_lock_keys(neighbour).await
    }

    /// Whether two keys are one lock of the engine.
    pub fn is_same_lock(&self, one: &LockKey, other: &LockKey) -> bool {
        self.session.native_lock_name(one) == self.session.native_lock_name(other)
    }

    /// Ends the session that holds a lock; see [`LockProvider::terminate_holder`].
    pub async fn terminate_holder(&mut self, key: &LockKey, holder: &LockHolder) -> Result<()> {
        self.session.terminate_holder(key, holder).await
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
    held: LockProof,
}

impl Locked {
    /// The lock.
    pub fn key(&self) -> &LockKey {
        self.held.key()
    }

    /// The neighbours' locks that were taken with it.
    pub fn neighbours(&self) -> &[LockKey] {
        self.held.neighbours()
    }

    /// Asks the server whether the lock is still held, and those of the neighbours.
    pub async fn holds(&mut self) -> Result<bool> {
        for lock in self.held.neighbours() {
            if !self.session.holds(lock).await? {
                return Ok(false);
            }
        }
        self.session.holds(self.held.key()).await
    }

    /// Takes our own lock again, which changes nothing; see [`LockProvider::try_lock`].
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
    pub async fn apply(&mut self, step: &Step, observer: &dyn Observer) -> Result<StepResult> {
        self.session.apply(&self.held, step, observer).await
    }

    /// A handle that cancels the statement in hand.
    pub fn canceller(&self) -> Arc<dyn Canceller> {
        self.session.canceller()
    }

    /// Gives the locks back, ours last, checks the answers, and returns the session.
    ///
    /// # Errors
    /// [`ErrorKind::LockLost`](crate::ErrorKind::LockLost) when the lock was no longer held. Any error ends the session.
    pub async fn release(mut self) -> Result<Unlocked> {
        for lock in self.held.neighbours().iter().rev() {
            self.session.unlock(lock).await?;
        }
        self.session.unlock(self.held.key()).await?;
        Ok(Unlocked::new(self.session))
    }
}
