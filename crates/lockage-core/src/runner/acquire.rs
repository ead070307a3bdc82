//! Waiting for the lock while watching the history.

use super::Runner;
use super::operation::Run;
use crate::event::Event;
use crate::lock::{LockHolder, LockKey, LockWait, WaitSchedule};
use crate::plan::Plan;
use crate::session::{Locked, TryLock, Unlocked};
use crate::{Error, ErrorKind, Result};

/// The result of the wait for the lock.
pub(super) enum Acquired {
    /// The run holds the lock.
    Locked(Box<Locked>),
    /// Another run did the work. This run did not acquire the lock.
    AlreadyCurrent(Unlocked, Plan),
}

impl Runner {
    /// Tries until the lock is acquired, no migration is pending, or the wait times out.
    ///
    /// Nothing waits inside the server: each try is a separate statement, so a waiter never blocks the holder's
    /// `CREATE INDEX CONCURRENTLY`.
    pub(super) async fn acquire(
        &self,
        mut session: Unlocked,
        run: &mut Run<'_>,
    ) -> Result<Acquired> {
        let foreign_keys = self
            .with_interrupt(self.resolve_foreign_locks(&mut session))
            .await?;
        let mut schedule = WaitSchedule::new(self.wait);
        let acquired = self
            .with_interrupt(self.try_lock_until(session, &foreign_keys, run, &mut schedule))
            .await;
        run.report.waited = schedule.elapsed();
        acquired
    }

    async fn resolve_foreign_locks(&self, session: &mut Unlocked) -> Result<Vec<LockKey>> {
        if self.foreign_locks.is_empty() {
            return Ok(Vec::new());
        }
        let resolved = session.resolve_foreign_locks(&self.foreign_locks).await?;
        for (_, reason) in &resolved.unavailable {
            self.observer.on_event(&Event::Notice {
                severity: "WARNING",
                message: reason.message(),
            });
        }
        Ok(resolved.keys)
    }

    async fn try_lock_until(
        &self,
        mut session: Unlocked,
        foreign_keys: &[LockKey],
        run: &Run<'_>,
        schedule: &mut WaitSchedule,
    ) -> Result<Acquired> {
        loop {
            match session.try_lock_all(&self.key, foreign_keys).await? {
                TryLock::Acquired(locked) => return Ok(Acquired::Locked(Box::new(locked))),
                TryLock::Busy(busy) => session = busy,
            }
            let key = session.contended_key().unwrap_or(&self.key).clone();
            let expired = schedule.is_expired();
            if !expired {
                if schedule.should_report() {
                    // A user without the right to see the holder still waits.
                    let holder = session.holder(&key).await.unwrap_or_default();
                    self.observer.on_event(&Event::Waiting {
                        key: &key,
                        waited: schedule.elapsed(),
                        holder: holder.as_ref(),
                    });
                }
                tokio::time::sleep(schedule.next_delay()).await;
            }
            // After the delay and before the next try: if the lock is free because the work is done, do not acquire it.
            if let Some(plan) = self.plan_without_lock(&mut session, run).await?
                && plan.is_empty()
            {
                return Ok(Acquired::AlreadyCurrent(session, plan));
            }
            if expired {
                let holder = session.holder(&key).await.unwrap_or_default();
                return Err(lock_timeout(&key, self.wait, schedule, holder));
            }
        }
    }
}

fn lock_timeout(
    key: &LockKey,
    wait: LockWait,
    schedule: &WaitSchedule,
    holder: Option<LockHolder>,
) -> Error {
    let holder = holder.map_or_else(
        || "an unknown session".to_owned(),
        |holder| holder.to_string(),
    );
    // Without a wait, the duration of a single try is not useful.
    let waited = match wait {
        LockWait::Never => String::new(),
        _ => format!(" within {:.1} s", schedule.elapsed().as_secs_f64()),
    };
    Error::new(
        ErrorKind::LockTimeout,
        format!(
            "the lock {key} was not obtained{waited}; it is held by {holder}. Nothing was written"
        ),
    )
    .with_hint(
        "wait longer with --wait, LOCKAGE_WAIT or Runner::wait; `lockage lock status` shows the holder",
    )
}
