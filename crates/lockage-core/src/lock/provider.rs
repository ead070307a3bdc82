use async_trait::async_trait;

use super::{ForeignLock, FoundTable, LockHolder, LockKey};
use crate::{Error, ErrorKind, Result};

/// A session's side of the lock. A backend answers only "did you get it?": waiting, its deadline, its events and the release
/// live in this crate, once for all engines.
///
/// # Contract
/// - The lock belongs to the session: when the session ends, in whatever way, the lock is free.
/// - It excludes every other session of every process that uses the same key on the same database.
/// - Two keys are independent of each other.
///
/// The conformance kit holds a backend to every sentence of this page.
///
/// # Cancel safety
/// When a future of this trait is dropped before it is ready, the session's state is unknown. Drop the session too: that
/// frees the lock.
#[async_trait]
pub trait LockProvider: Send {
    /// Tries once to take the lock. `false`: somebody else holds it. Returns within about a second whatever happens, and never
    /// waits inside a server that keeps a snapshot for a waiter. Idempotent: a second call by the holder is `true`, and one
    /// [`unlock`](Self::unlock) frees the lock all the same.
    async fn try_lock(&mut self, key: &LockKey) -> Result<bool>;

    /// Asks the server, not memory, whether this session holds the lock.
    async fn holds(&mut self, key: &LockKey) -> Result<bool>;

    /// Gives the lock back.
    ///
    /// # Errors
    /// [`ErrorKind::LockLost`](crate::ErrorKind::LockLost) when this session did not hold it.
    async fn unlock(&mut self, key: &LockKey) -> Result<()>;

    /// Tells who holds the lock; `None` when nobody does. Where the engine does not tell, or not to this user, the fields that
    /// are not known are `None`. Needs no lock and writes nothing.
    async fn holder(&mut self, key: &LockKey) -> Result<Option<LockHolder>>;

    /// What the engine itself calls a lock. Two keys with one name are one lock.
    fn native_lock_name(&self, key: &LockKey) -> String {
        key.to_string()
    }

    /// The locks that a neighbour takes when it migrates this database, as keys for the methods above. Takes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] with the reason where it takes none, or none that can be taken safely. That is the default.
    async fn foreign_lock_keys(&mut self, _neighbour: &ForeignLock) -> Result<Vec<LockKey>> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "this backend does not know the locks of other tools",
        ))
    }

    /// The tables of the database whose names, in lower case, are among these, in whatever schema. What there is to see is enough; the
    /// default sees nothing.
    async fn find_tables(&mut self, _names: &[String]) -> Result<Vec<FoundTable>> {
        Ok(Vec::new())
    }

    /// Ends, on the server, the session that holds a lock, as long as it is the one that [`holder`](Self::holder) told. Returns when the
    /// server was asked to; the lock is free a while later. A session that is gone, or holds the lock no more, is left alone.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`], with what an administrator can do, where this user or this engine cannot. That is the default.
    async fn terminate_holder(&mut self, _key: &LockKey, _holder: &LockHolder) -> Result<()> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "this backend cannot end the session of another process",
        ))
    }
}

/// The proof that a lock is held, without which nothing can be written. Only [`Locked`](crate::Locked) has one.
#[derive(Debug)]
pub struct LockProof {
    key: LockKey,
    neighbours: Vec<LockKey>,
}

impl LockProof {
    pub(crate) fn new(key: LockKey, neighbours: Vec<LockKey>) -> Self {
        Self { key, neighbours }
    }

    /// The neighbours' locks that were taken with it. What writes checks them as it checks its own.
    pub fn neighbours(&self) -> &[LockKey] {
        &self.neighbours
    }

    /// The lock that was taken.
    pub fn key(&self) -> &LockKey {
        &self.key
    }
}
