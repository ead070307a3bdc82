use std::time::Duration;

use lockage_core::{Error, ErrorKind, LockHolder, LockKey, LockProvider, Result, async_trait};

use super::Fault;
use super::lock::{LockHandle, holder_session};
use super::session::ReferenceSession;
use super::store::session_lost;

/// A lock that a try has acquired, until the session owns it.
struct TryGuard {
    handle: Option<LockHandle>,
    leaks: bool,
}

impl Drop for TryGuard {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take().filter(|_| self.leaks) {
            handle.leak();
        }
    }
}

#[async_trait]
impl LockProvider for ReferenceSession {
    async fn try_lock(&mut self, key: &LockKey) -> Result<bool> {
        self.ensure_alive()?;
        if self.has_acquired(key) {
            self.acquired_count += 1;
            return Ok(true);
        }
        let file = self.lock_file(key);
        if self.has(Fault::ChecksThenActs) {
            let free = holder_session(&file)
                .map_err(|error| session_lost(&error))?
                .is_none();
            tokio::time::sleep(Duration::from_millis(50)).await;
            if free
                && LockHandle::acquire(&file, &self.id, self.fault)
                    .map_err(|error| session_lost(&error))?
                    .is_none()
            {
                let unlocked = LockHandle::acquire(&file, &self.id, Some(Fault::GrantsEveryLock));
                if let Some(handle) = unlocked.map_err(|error| session_lost(&error))? {
                    self.retain(key, handle);
                }
                return Ok(true);
            }
        }
        let mut guard = loop {
            let handle = LockHandle::acquire(&file, &self.id, self.fault)
                .map_err(|error| session_lost(&error))?;
            if handle.is_some() || !self.has(Fault::BlocksInServer) {
                break TryGuard {
                    handle,
                    leaks: self.has(Fault::LeaksDroppedTry),
                };
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        tokio::task::yield_now().await;
        let Some(handle) = guard.handle.take() else {
            return Ok(false);
        };
        self.retain(key, handle);
        self.acquired_count = 1;
        Ok(true)
    }

    async fn holds(&mut self, key: &LockKey) -> Result<bool> {
        self.ensure_alive()?;
        if self.has(Fault::HoldsReleasesLock) && self.is_valid(key) {
            self.release(key);
            return Ok(true);
        }
        if self.has(Fault::HoldsReportsAnyHolder) {
            return Ok(holder_session(&self.lock_file(key))
                .map_err(|error| session_lost(&error))?
                .is_some());
        }
        Ok(self.is_valid(key) || self.has(Fault::CachesHolds) && self.has_acquired(key))
    }

    async fn unlock(&mut self, key: &LockKey) -> Result<()> {
        self.ensure_alive()?;
        if self.has(Fault::ReentrantLock) && self.acquired_count > 1 {
            self.acquired_count -= 1;
            return Ok(());
        }
        let was_valid = self.is_valid(key);
        let handle = self.release(key);
        if self.failed
            && self.has(Fault::ErrorLeaksLock)
            && let Some(handle) = handle
        {
            handle.leak();
        }
        if was_valid || self.has(Fault::UnlockReportsSuccess) || self.has(Fault::DoesNotRecheckLock)
        {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::LockLost,
            format!("the lock {key} was not held"),
        ))
    }

    async fn holder(&mut self, key: &LockKey) -> Result<Option<LockHolder>> {
        self.ensure_alive()?;
        let session = match self.fault {
            Some(Fault::ReportsNoHolder) => None,
            Some(Fault::ReportsStaleHolder) => Some("ghost".to_owned()),
            _ => holder_session(&self.lock_file(key)).map_err(|error| session_lost(&error))?,
        };
        Ok(session.map(|session| {
            let mut holder = LockHolder::default();
            holder.session = Some(session);
            holder
        }))
    }
}
