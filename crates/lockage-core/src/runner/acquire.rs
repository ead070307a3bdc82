//! Waiting for the lock, in sight of the history.

use super::{Aim, Runner};
use crate::lock::Patience;
use crate::{
    Error, ErrorKind, Event, LockHolder, LockKey, LockWait, Locked, Plan, Report, Result, TryLock,
    Unlocked,
};

/// How the wait ended.
pub(super) enum Acquired {
    /// With the lock.
    Locked(Box<Locked>),
    /// Without it: another run has done the work.
    Current(Unlocked, Plan),
}

impl Runner {
    /// Tries until the lock is ours, or nothing is left to do, or the wait is over. Nothing waits inside the server: a try is a
    /// statement of its own, so a waiter never blocks the holder's `CREATE INDEX CONCURRENTLY`.
    pub(super) async fn acquire(
        &self,
        session: Unlocked,
        aim: Aim<'_>,
        report: &mut Report,
    ) -> Result<Acquired> {
        let mut session = session;
        let neighbours = self.or_interrupted(self.neighbours(&mut session)).await?;
        let mut patience = Patience::new(self.wait);
        let acquired = self
            .or_interrupted(self.try_until(session, &neighbours, aim, report, &mut patience))
            .await;
        report.waited = patience.waited();
        acquired
    }

    async fn neighbours(&self, session: &mut Unlocked) -> Result<Vec<LockKey>> {
        if self.align.is_none() {
            return Ok(Vec::new());
        }
        let neighbours = session.neighbours(&self.align).await?;
        for (_, reason) in &neighbours.left_out {
            self.observer.on_event(&Event::Notice {
                severity: "WARNING",
                message: reason.message(),
            });
        }
        Ok(neighbours.locks)
    }

    async fn try_until(
        &self,
        mut session: Unlocked,
        neighbours: &[LockKey],
        aim: Aim<'_>,
        report: &Report,
        patience: &mut Patience,
    ) -> Result<Acquired> {
        loop {
            match session.try_lock_all(&self.key, neighbours).await? {
                TryLock::Acquired(locked) => return Ok(Acquired::Locked(Box::new(locked))),
                TryLock::Busy(busy) => session = busy,
            }
            let key = session.refused().unwrap_or(&self.key).clone();
            let over = patience.is_over();
            if !over {
                if patience.should_tell() {
                    // Who holds it is a courtesy: a user without the right to see it still waits.
                    let holder = session.holder(&key).await.unwrap_or_default();
                    self.observer.on_event(&Event::Waiting {
                        key: &key,
                        waited: patience.waited(),
                        holder: holder.as_ref(),
                    });
                }
                tokio::time::sleep(patience.next_pause()).await;
            }
            // Behind the pause and before the next try: a lock that is free because the work is done is left alone.
            if let Some(plan) = self.glance(&mut session, aim, report).await?
                && plan.is_empty()
            {
                return Ok(Acquired::Current(session, plan));
            }
            if over {
                let holder = session.holder(&key).await.unwrap_or_default();
                return Err(lock_timeout(&key, self.wait, patience, holder));
            }
        }
    }

    /// Drops the work, and with it the session, when the run is asked to stop.
    pub(super) async fn or_interrupted<T>(
        &self,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        tokio::select! {
            biased;
            () = self.interrupt.triggered() => Err(interrupted()),
            done = work => done,
        }
    }
}

fn lock_timeout(
    key: &LockKey,
    wait: LockWait,
    patience: &Patience,
    holder: Option<LockHolder>,
) -> Error {
    let holder = holder.map_or_else(
        || "an unknown session".to_owned(),
        |holder| holder.to_string(),
    );
    // Who does not wait has no use for how long one look took.
    let waited = match wait {
        LockWait::Never => String::new(),
        _ => format!(" within {:.1} s", patience.waited().as_secs_f64()),
    };
    Error::new(
        ErrorKind::LockTimeout,
        format!(
            "the lock {key} was not obtained{waited}; it is held by {holder}. Nothing was written"
        ),
    )
    .with_hint("wait longer with --wait, LOCKAGE_WAIT or Runner::wait; `lockage lock status` shows the holder")
}

pub(super) fn interrupted() -> Error {
    Error::new(ErrorKind::Interrupted, "the run was interrupted")
}
