use async_trait::async_trait;

use super::{LockHolder, LockKey};
use crate::Result;

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
}

/// The proof that a lock is held, without which nothing can be written. Only [`Locked`](crate::Locked) has one.
#[derive(Debug)]
pub struct Held {
    key: LockKey,
}

impl Held {
    pub(crate) fn new(key: LockKey) -> Self {
        Self { key }
    }

    /// The lock that was taken.
    pub fn key(&self) -> &LockKey {
        &self.key
    }
}
