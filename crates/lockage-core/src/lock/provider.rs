use async_trait::async_trait;

use super::{LockHolder, LockKey};
use crate::foreign_lock::{ForeignLock, FoundTable};
use crate::{Error, ErrorKind, Result};

/// The lock operations of a session. A backend implements only a non-blocking [`try_lock`](Self::try_lock); waiting,
/// deadlines, events and the release are in this crate, once for all engines.
///
/// # Contract
/// - The lock belongs to the session: when the session ends, for any reason, the lock is free.
/// - It excludes every other session of every process that uses the same key on the same database.
/// - Two keys are independent of each other.
///
/// The conformance suite, `lockage-testkit`, tests every sentence of this page.
///
/// # Cancel safety
/// If a future of this trait is dropped before it is ready, the state of the session is unknown. Drop the session, too:
/// that frees the lock.
#[async_trait]
pub trait LockProvider: Send {
    /// Tries once to acquire the lock. Returns `false` if another session holds it.
    ///
    /// Returns within about a second in every case, and never waits inside a server that keeps a snapshot for a waiter.
    /// Idempotent: a second call by the holder returns `true`, and one [`unlock`](Self::unlock) still frees the lock.
    async fn try_lock(&mut self, key: &LockKey) -> Result<bool>;

    /// Returns whether this session holds the lock. Asks the server; a cached answer is not allowed.
    async fn holds(&mut self, key: &LockKey) -> Result<bool>;

    /// Releases the lock.
    ///
    /// # Errors
    /// [`ErrorKind::LockLost`](crate::ErrorKind::LockLost) if this session does not hold it.
    async fn unlock(&mut self, key: &LockKey) -> Result<()>;

    /// Returns the holder of the lock, or `None` if it is free.
    ///
    /// Fields that the engine does not report, or not to this user, are `None`. Needs no lock and writes nothing.
    async fn holder(&mut self, key: &LockKey) -> Result<Option<LockHolder>>;

    /// Returns the name of the lock in the engine. Two keys with the same name are the same lock.
    fn native_lock_name(&self, key: &LockKey) -> String {
        key.to_string()
    }

    /// Returns the locks that another tool acquires when it migrates this database, as keys for the other methods.
    /// Acquires nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] with the reason if the tool acquires no lock, or none that is safe to acquire. The
    /// default implementation returns this error.
    async fn foreign_lock_keys(&mut self, _lock: &ForeignLock) -> Result<Vec<LockKey>> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "this backend does not support the locks of other tools",
        ))
    }

    /// Returns the tables, in any schema, whose name in lower case is one of `names`. Tables that the user cannot see are
    /// left out. The default implementation returns none.
    async fn find_tables(&mut self, _names: &[String]) -> Result<Vec<FoundTable>> {
        Ok(Vec::new())
    }

    /// Terminates, on the server, the session that holds the lock, if it is still the `holder` that
    /// [`holder`](Self::holder) returned.
    ///
    /// Returns when the server has accepted the request; the lock is free some time later. Does nothing if that session has
    /// ended or no longer holds the lock.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`], with advice for an administrator, if this user or this engine cannot. The default
    /// implementation returns this error.
    async fn terminate_holder(&mut self, _key: &LockKey, _holder: &LockHolder) -> Result<()> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "this backend cannot terminate the session of another process",
        ))
    }
}
