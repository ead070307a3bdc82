//! What needs no lock and writes nothing.

use std::time::Duration;

use super::{Aim, Runner};
use crate::lock::Patience;
use crate::survey::{Entry, survey};
use crate::{
    ErrorKind, Event, History, LockHolder, LockWait, Outcome, Plan, Report, Result, Unlocked,
};

/// The pause between two looks of [`Runner::wait_until_current`].
const LOOK_AGAIN: Duration = Duration::from_millis(250);

impl Runner {
    /// Where every migration stands.
    pub async fn status(&self) -> Result<Vec<Entry>> {
        Ok(survey(&self.set, &self.history().await?))
    }

    /// What the database remembers, as it stands now.
    pub async fn history(&self) -> Result<History> {
        let mut session = self.open().await?;
        let history = self.or_interrupted(session.history()).await?;
        end(session).await?;
        Ok(history)
    }

    /// What [`up`](Self::up) would do.
    pub async fn plan(&self) -> Result<Plan> {
        let plan = self.decide(Aim::Up, &self.history().await?)?;
        self.inspect(&plan.steps)?;
        Ok(plan)
    }

    /// What [`repair`](Self::repair) would do.
    pub async fn repairs(&self) -> Result<Plan> {
        self.decide(Aim::Repair, &self.history().await?)
    }

    /// Says whether the database is current; the outcome is [`Outcome::UpToDate`] or [`Outcome::Pending`].
    pub async fn check(&self) -> Result<Report> {
        let plan = self.decide(Aim::Up, &self.history().await?)?;
        let mut report = self.new_report();
        if !plan.is_empty() {
            report.outcome = Outcome::Pending;
        }
        report.set_pending(&plan.steps, &plan);
        report.future = plan.future;
        Ok(report)
    }

    /// Blocks until the database is current, with read rights only; [`Outcome::Pending`] when the time is over. A database that
    /// cannot be reached yet is waited for too.
    ///
    /// # Errors
    /// What cannot pass by itself: a wrong password, a diverged history.
    pub async fn wait_until_current(&self, timeout: Option<Duration>) -> Result<Report> {
        let mut patience = Patience::new(timeout.map_or(LockWait::Forever, LockWait::For));
        loop {
            let seen = self.or_interrupted(self.check()).await;
            match seen {
                Ok(report) if report.outcome == Outcome::UpToDate || patience.is_over() => {
                    return Ok(Report {
                        waited: patience.waited(),
                        ..report
                    });
                }
                Err(error)
                    if patience.is_over()
                        || !(error.is_retryable() || error.kind() == ErrorKind::SessionLost) =>
                {
                    return Err(error);
                }
                _ => {}
            }
            if patience.should_tell() {
                self.observer.on_event(&Event::Waiting {
                    key: &self.key,
                    waited: patience.waited(),
                    holder: None,
                });
            }
            let pause = patience.next_pause().max(LOOK_AGAIN);
            self.or_interrupted(async {
                tokio::time::sleep(pause).await;
                Ok(())
            })
            .await?;
        }
    }

    /// Who holds the lock; `None` when nobody does.
    pub async fn lock_holder(&self) -> Result<Option<LockHolder>> {
        let mut session = self.open().await?;
        let holder = self.or_interrupted(session.holder(&self.key)).await?;
        end(session).await?;
        Ok(holder)
    }

    pub(super) async fn open(&self) -> Result<Unlocked> {
        let session = self
            .or_interrupted(self.registry.connect(&self.connect))
            .await?;
        self.observer.on_event(&Event::Connected {
            database: &self.connect.url.to_string(),
        });
        Ok(session)
    }
}

/// Ends a session whose work is done. What was read or committed stands, however the session ends.
pub(super) async fn end(session: Unlocked) -> Result<()> {
    match session.close().await {
        Err(error) if error.kind() != ErrorKind::SessionLost => Err(error),
        _ => Ok(()),
    }
}
