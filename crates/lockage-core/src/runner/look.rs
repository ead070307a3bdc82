//! What needs no lock and writes nothing.

use std::time::Duration;

use super::{Aim, Repairs, Runner};
use crate::lock::Patience;
use crate::status::{MigrationEntry, compare};
use crate::{
    Action, Error, ErrorKind, Event, History, LockWait, Outcome, Plan, Report, Result, Status,
    Unlocked,
};

/// The pause between two looks of [`Runner::wait_until_current`].
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// What its first look is given, however short the wait is: a check that is never answered says nothing.
const FIRST_LOOK: Duration = Duration::from_secs(2);

impl Runner {
    /// Where every migration stands.
    pub async fn status(&self) -> Result<Vec<MigrationEntry>> {
        Ok(compare(&self.set, &self.history().await?))
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
        let plan = self.decide(Aim::Up, &self.history().await?, &self.new_report())?;
        self.inspect(&plan.steps)?;
        Ok(plan)
    }

    /// What is broken in the history, for [`repair`](Self::repair).
    pub async fn repairs(&self) -> Result<Repairs> {
        Ok(Repairs::of_history(&self.set, &self.history().await?))
    }

    /// What was under way when a run died, for [`repair`](Self::repair), with the answer whether the statement in hand took effect or is
    /// to run again.
    pub async fn in_doubt(&self, took_effect: bool) -> Result<Repairs> {
        let answer = if took_effect {
            Action::ResolveApplied
        } else {
            Action::ResolveNotApplied
        };
        let history = self.history().await?;
        Ok(Repairs::of_doubts(&self.set, &history, answer))
    }

    /// Says whether the database is current; the outcome is [`Outcome::UpToDate`] or [`Outcome::Pending`].
    pub async fn check(&self) -> Result<Report> {
        self.judge(&self.history().await?)
    }

    fn judge(&self, history: &History) -> Result<Report> {
        let mut report = self.new_report();
        let plan = self.decide(Aim::Up, history, &report)?;
        if !plan.is_empty() {
            report.outcome = Outcome::Pending;
        }
        report.set_pending(&plan.steps, &plan);
        report.future = plan.future;
        Ok(report)
    }

    /// Blocks until the database is current, with read rights only; [`Outcome::Pending`] when the time is over. A database that
    /// cannot be reached yet, or that is still to be made, is waited for too. Whatever hangs, the wait ends at its time; only the first
    /// look is given two seconds where the whole is shorter.
    ///
    /// # Errors
    /// What cannot pass by itself: a wrong password, a diverged history. What kept the last look from an answer, when the time is over.
    pub async fn wait_until_current(&self, timeout: Option<Duration>) -> Result<Report> {
        let mut patience = Patience::new(timeout.map_or(LockWait::Forever, LockWait::For));
        let mut last = None;
        loop {
            let look = self.look_if_current();
            let seen = match timeout {
                None => Some(look.await),
                Some(timeout) => {
                    let left = timeout.saturating_sub(patience.waited());
                    let limit = if last.is_none() {
                        left.max(FIRST_LOOK)
                    } else {
                        left
                    };
                    tokio::time::timeout(limit, look).await.ok()
                }
            };
            let cut = seen.is_none();
            match seen {
                Some(Ok(report)) if report.outcome == Outcome::UpToDate => {
                    return Ok(waited(report, &patience));
                }
                Some(Err(error))
                    if !(error.is_temporary() || error.kind() == ErrorKind::SessionLost) =>
                {
                    return Err(error);
                }
                Some(seen) => last = Some(seen),
                None => {}
            }
            if cut || patience.is_over() {
                let last = last.unwrap_or_else(|| Err(self.no_answer(&patience)));
                return last.map(|report| waited(report, &patience));
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

    /// As [`check`](Self::check); in a database that is not there, everything is pending.
    async fn look_if_current(&self) -> Result<Report> {
        match self.or_interrupted(self.check()).await {
            Err(error) if error.is_database_missing() => self.judge(&History::default()),
            seen => seen,
        }
    }

    fn no_answer(&self, patience: &Patience) -> Error {
        Error::new(
            ErrorKind::Connect,
            format!(
                "{} did not answer within {:.1} s",
                self.connect.url,
                patience.waited().as_secs_f64()
            ),
        )
        .with_status(Status::Temporary)
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

fn waited(mut report: Report, patience: &Patience) -> Report {
    report.waited = patience.waited();
    report
}

/// Ends a session whose work is done. What was read or committed stands, however the session ends.
pub(super) async fn end(session: Unlocked) -> Result<()> {
    match session.close().await {
        Err(error) if error.kind() != ErrorKind::SessionLost => Err(error),
        _ => Ok(()),
    }
}
