//! Reading lock holders, and terminating the holder of the lock.

use std::time::Duration;

use super::Runner;
use super::connect::close_session;
use crate::foreign_lock::ForeignLocks;
use crate::lock::{ForeignLockStatus, LockHolder, LockWait, WaitSchedule};
use crate::session::Unlocked;
use crate::{Error, ErrorKind, Result};

impl Runner {
    /// Returns the holder of the lock, or `None` if the lock is free.
    pub async fn lock_holder(&self) -> Result<Option<LockHolder>> {
        let mut session = self.open_session().await?;
        let holder = self.with_interrupt(session.holder(&self.key)).await?;
        close_session(session).await?;
        Ok(holder)
    }

    /// Returns the status of the foreign locks: those that this runner acquires, and those of the tools whose tables exist in
    /// the database.
    pub async fn foreign_lock_status(&self) -> Result<Vec<ForeignLockStatus>> {
        let mut session = self.open_session().await?;
        let found = self
            .with_interrupt(self.read_foreign_locks(&mut session))
            .await?;
        close_session(session).await?;
        Ok(found)
    }

    async fn read_foreign_locks(&self, session: &mut Unlocked) -> Result<Vec<ForeignLockStatus>> {
        let with_detected = self
            .foreign_locks
            .iter()
            .cloned()
            .fold(ForeignLocks::auto(), ForeignLocks::with);
        let acquired = session
            .resolve_foreign_locks(&self.foreign_locks)
            .await?
            .keys;
        let all = session.resolve_foreign_locks(&with_detected).await?;
        let mut found = Vec::new();
        for key in all.keys {
            let is_acquired = acquired.contains(&key) || session.same_native_lock(&key, &self.key);
            let holder = session.holder(&key).await?;
            found.push(ForeignLockStatus::available(key, is_acquired, holder));
        }
        let unavailable = all.unavailable.into_iter();
        found
            .extend(unavailable.map(|(tool, reason)| ForeignLockStatus::unavailable(tool, reason)));
        Ok(found)
    }

    /// Terminates, on the server, the session that holds the lock, if it is still the `holder` that
    /// [`lock_holder`](Self::lock_holder) returned, and waits until it no longer holds the lock.
    ///
    /// # Errors
    /// - [`ErrorKind::Unsupported`], with advice for an administrator, if this user or this engine cannot.
    /// - [`ErrorKind::LockTimeout`] if the session was terminated and still holds the lock after `timeout`.
    pub async fn terminate_holder(&self, holder: &LockHolder, timeout: Duration) -> Result<()> {
        let mut session = self.open_session().await?;
        let work = self.terminate_and_wait(&mut session, holder, timeout);
        self.with_interrupt(work).await?;
        close_session(session).await
    }

    async fn terminate_and_wait(
        &self,
        session: &mut Unlocked,
        holder: &LockHolder,
        timeout: Duration,
    ) -> Result<()> {
        session.terminate_holder(&self.key, holder).await?;
        let mut schedule = WaitSchedule::new(LockWait::For(timeout));
        while session
            .holder(&self.key)
            .await?
            .is_some_and(|now| now.session == holder.session)
        {
            if schedule.is_expired() {
                return Err(Error::new(
                    ErrorKind::LockTimeout,
                    format!(
                        "the server was asked to terminate the holder of the lock {}, which still holds it after {:.1} s: {holder}",
                        self.key,
                        schedule.elapsed().as_secs_f64()
                    ),
                )
                .with_hint("the holder is running a statement that cannot be cancelled; check it on the server"));
            }
            tokio::time::sleep(schedule.next_delay()).await;
        }
        Ok(())
    }
}
