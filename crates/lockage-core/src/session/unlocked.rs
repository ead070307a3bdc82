use super::locked::Locked;
use super::traits::Session;
use crate::capabilities::Capabilities;
use crate::foreign_lock::{ForeignLock, ForeignLocks, detect_tools, marker_table_names};
use crate::history::History;
use crate::lock::{LockHolder, LockKey, LockProof, ResolvedForeignLocks};
use crate::{ErrorKind, Result};

/// A session without the lock. It can read and cannot write:
///
/// ```compile_fail,E0599
/// # async fn f(mut session: lockage_core::Unlocked, step: lockage_core::Step) {
/// session.apply(&step, &lockage_core::NoObserver).await;
/// # }
/// ```
#[derive(Debug)]
pub struct Unlocked {
    session: Box<dyn Session>,
    contended_key: Option<LockKey>,
}

/// The result of a try to acquire the lock.
#[derive(Debug)]
pub enum TryLock {
    /// The session acquired the lock.
    Acquired(Locked),
    /// Another session holds the lock, or one of the foreign locks.
    Busy(Unlocked),
}

impl Unlocked {
    /// Wraps a session of a backend.
    pub fn new(session: Box<dyn Session>) -> Self {
        Self {
            session,
            contended_key: None,
        }
    }

    /// Returns the capabilities of the engine.
    pub fn capabilities(&self) -> Capabilities {
        self.session.capabilities()
    }

    /// Reads the history; see [`Migrator::history`](crate::Migrator::history).
    pub async fn history(&mut self) -> Result<History> {
        self.session.history().await
    }

    /// Returns the holder of a lock; see [`LockProvider::holder`](crate::LockProvider::holder).
    pub async fn holder(&mut self, key: &LockKey) -> Result<Option<LockHolder>> {
        self.session.holder(key).await
    }

    /// Tries once to acquire the lock; see [`LockProvider::try_lock`](crate::LockProvider::try_lock). An error closes the
    /// session.
    ///
    /// Cancel safe: a dropped future closes the session, which frees a lock that the try may have acquired.
    pub async fn try_lock(self, key: &LockKey) -> Result<TryLock> {
        self.try_lock_all(key, &[]).await
    }

    /// Tries once to acquire the lock and the foreign locks: all of them, or none.
    ///
    /// The own lock is the first, so a run that waits for it holds no foreign lock. The foreign locks follow in the order of
    /// their names in the engine. The session never waits while it holds a lock, so two runs cannot deadlock.
    ///
    /// Cancel safe, as [`try_lock`](Self::try_lock).
    pub async fn try_lock_all(
        mut self,
        key: &LockKey,
        foreign_keys: &[LockKey],
    ) -> Result<TryLock> {
        let own_name = self.session.native_lock_name(key);
        let mut foreign: Vec<_> = foreign_keys
            .iter()
            .map(|foreign| (self.session.native_lock_name(foreign), foreign))
            .filter(|(name, _)| *name != own_name)
            .collect();
        foreign.sort();
        foreign.dedup_by(|a, b| a.0 == b.0);
        let mut acquired: Vec<&LockKey> = Vec::new();
        for next in std::iter::once(key).chain(foreign.into_iter().map(|(_, key)| key)) {
            let failure = match self.session.try_lock(next).await {
                Ok(true) => {
                    acquired.push(next);
                    continue;
                }
                Ok(false) => None,
                Err(error) => Some(error),
            };
            for key in acquired.into_iter().rev() {
                let released = self.session.unlock(key).await;
                // The first error is the cause; an error of the release would hide it.
                if failure.is_none() {
                    released?;
                }
            }
            if let Some(error) = failure {
                return Err(error);
            }
            self.contended_key = Some(next.clone());
            return Ok(TryLock::Busy(self));
        }
        let foreign_keys = acquired.into_iter().skip(1).cloned().collect();
        let proof = LockProof::new(key.clone(), foreign_keys);
        Ok(TryLock::Acquired(Locked::new(self.session, proof)))
    }

    /// Returns the key of the lock that another session held at the last try.
    pub fn contended_key(&self) -> Option<&LockKey> {
        self.contended_key.as_ref()
    }

    /// Resolves a selection of foreign locks into keys. With [`ForeignLocks::auto`], detects tools by their tables. Acquires
    /// nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) with the reason if an explicitly selected lock cannot be
    /// acquired. A detected tool whose lock cannot be acquired is not an error.
    pub async fn resolve_foreign_locks(
        &mut self,
        selection: &ForeignLocks,
    ) -> Result<ResolvedForeignLocks> {
        let mut resolved = ResolvedForeignLocks::default();
        for lock in selection {
            resolved.keys.extend(self.keys_for(lock).await?);
        }
        if !selection.is_auto() {
            return Ok(resolved);
        }
        let tables = self.session.find_tables(&marker_table_names()).await?;
        for tool in detect_tools(&tables) {
            let lock = ForeignLock::Tool(tool);
            if selection.iter().any(|selected| *selected == lock) {
                continue;
            }
            match self.keys_for(&lock).await {
                Ok(keys) => resolved.keys.extend(keys),
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    resolved.unavailable.push((tool, error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(resolved)
    }

    async fn keys_for(&mut self, lock: &ForeignLock) -> Result<Vec<LockKey>> {
        if let ForeignLock::Tool(tool) = lock {
            tool.check_lockable()?;
        }
        self.session.foreign_lock_keys(lock).await
    }

    /// Returns whether two keys are the same lock in the engine.
    pub(crate) fn same_native_lock(&self, one: &LockKey, other: &LockKey) -> bool {
        self.session.native_lock_name(one) == self.session.native_lock_name(other)
    }

    /// Terminates the session that holds a lock; see
    /// [`LockProvider::terminate_holder`](crate::LockProvider::terminate_holder).
    pub async fn terminate_holder(&mut self, key: &LockKey, holder: &LockHolder) -> Result<()> {
        self.session.terminate_holder(key, holder).await
    }

    /// Closes the session.
    pub async fn close(self) -> Result<()> {
        self.session.close().await
    }
}

// This method of `Locked` is in this file because it returns an `Unlocked`.
impl Locked {
    /// Releases the foreign locks, then the lock itself, and returns the session.
    ///
    /// # Errors
    /// [`ErrorKind::LockLost`](crate::ErrorKind::LockLost) if the session no longer held a lock. Any error closes the
    /// session.
    pub async fn release(self) -> Result<Unlocked> {
        Ok(Unlocked::new(self.unlock_all().await?))
    }
}
