//! Sessions of the backend under test that acquire locks.

use std::time::{Duration, Instant};

use lockage_mysql::BACKEND;
use lockage_mysql::lockage_core::{
    ConnectOptions, LockKey, LockStrategy, Locked, Registry, TryLock, Unlocked,
};
use lockage_testkit::TestError;

/// The maximum time to wait for a lock.
const LOCK_TIMEOUT: Duration = Duration::from_secs(180);

const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Opens a session with the default lock strategy.
pub(crate) async fn connect(url: &str) -> Result<Unlocked, TestError> {
    connect_with(url, LockStrategy::Auto).await
}

/// Opens a session with a lock strategy.
pub(crate) async fn connect_with(url: &str, strategy: LockStrategy) -> Result<Unlocked, TestError> {
    let mut options = ConnectOptions::new(url)?;
    options.lock_strategy = strategy;
    Ok(Registry::default().with(BACKEND)?.connect(&options).await?)
}

/// Acquires a lock that must be free.
pub(crate) async fn lock(session: Unlocked, key: &LockKey) -> Result<Locked, TestError> {
    match session.try_lock(key).await? {
        TryLock::Acquired(locked) => Ok(locked),
        TryLock::Busy(_) => Err("the lock is held".into()),
    }
}

/// Waits until the lock is free, and acquires it.
pub(crate) async fn lock_when_free(
    mut session: Unlocked,
    key: &LockKey,
) -> Result<Locked, TestError> {
    let started_at = Instant::now();
    loop {
        session = match session.try_lock(key).await? {
            TryLock::Acquired(locked) => return Ok(locked),
            TryLock::Busy(session) => session,
        };
        if started_at.elapsed() > LOCK_TIMEOUT {
            return Err("the lock was not released".into());
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
