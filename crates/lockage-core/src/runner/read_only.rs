//! Operations that need no lock and write nothing.

use std::time::Duration;

use super::Runner;
use super::connect::close_session;
use super::operation::{CheckedScripts, Operation, Run};
use crate::event::Event;
use crate::history::History;
use crate::lock::{LockWait, WaitSchedule};
use crate::plan::{Plan, Repairs};
use crate::report::{Outcome, Report};
use crate::status::{MigrationEntry, compare};
use crate::step::Action;
use crate::{Error, ErrorKind, Result, Status};

/// The minimum interval between two polls of [`Runner::wait_until_current`].
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// The minimum time limit of the first poll, even if the timeout is shorter. Without an answer the call has no result.
const FIRST_POLL_TIMEOUT: Duration = Duration::from_secs(2);

impl Runner {
    /// Returns the status of every migration.
    pub async fn status(&self) -> Result<Vec<MigrationEntry>> {
        Ok(compare(&self.set, &self.history().await?))
    }

    /// Reads the history.
    pub async fn history(&self) -> Result<History> {
        let mut session = self.open_session().await?;
        let history = self.with_interrupt(session.history()).await?;
        close_session(session).await?;
        Ok(history)
    }

    /// Returns the plan of [`up`](Self::up).
    pub async fn plan(&self) -> Result<Plan> {
        let run = Run::new(Operation::Up, self.new_report());
        let mut plan = self.plan_for_operation(&self.history().await?, &run)?;
        CheckedScripts::default().check(self.backend()?, &mut plan.steps)?;
        Ok(plan)
    }

    /// Returns the repairs that the history needs, for [`repair`](Self::repair): changed files, rows without a file, and
    /// failed migrations.
    pub async fn repairs(&self) -> Result<Repairs> {
        Ok(Repairs::for_history(&self.set, &self.history().await?))
    }

    /// Returns the migrations that were running when a run died, for [`repair`](Self::repair).
    ///
    /// `was_applied` says whether the statement that was running took effect. If it did not, the next run repeats it.
    pub async fn in_doubt(&self, was_applied: bool) -> Result<Repairs> {
        let resolution = if was_applied {
            Action::ResolveApplied
        } else {
            Action::ResolveNotApplied
        };
        let history = self.history().await?;
        Ok(Repairs::for_in_doubt(&self.set, &history, resolution))
    }

    /// Returns whether the database is current: the outcome is [`Outcome::UpToDate`] or [`Outcome::Pending`].
    pub async fn check(&self) -> Result<Report> {
        self.report_for(&self.history().await?)
    }

    fn report_for(&self, history: &History) -> Result<Report> {
        let mut run = Run::new(Operation::Up, self.new_report());
        let plan = self.plan_for_operation(history, &run)?;
        if !plan.is_empty() {
            run.report.outcome = Outcome::Pending;
        }
        run.report.set_pending(&plan.steps, &plan);
        run.report.set_unfinished(&compare(&self.set, history));
        run.report.ahead = plan.ahead;
        Ok(run.report)
    }

    /// Waits until the database is current. Needs only the right to read.
    ///
    /// Returns a report with [`Outcome::Pending`] at the timeout. A database that is not reachable or does not exist yet is
    /// waited for, too. The call returns at the timeout even if a connection hangs; the first poll is allowed two seconds if
    /// the timeout is shorter.
    ///
    /// # Errors
    /// An error that cannot resolve itself: a wrong password, a diverged history. At the timeout, the error of the last poll,
    /// if it failed.
    pub async fn wait_until_current(&self, timeout: Option<Duration>) -> Result<Report> {
        let mut schedule = WaitSchedule::new(timeout.map_or(LockWait::Forever, LockWait::For));
        let mut last = None;
        loop {
            let poll_timeout = timeout.map(|timeout| {
                let remaining = timeout.saturating_sub(schedule.elapsed());
                match last {
                    None => remaining.max(FIRST_POLL_TIMEOUT),
                    Some(_) => remaining,
                }
            });
            let polled = self.poll_current(poll_timeout).await;
            let has_timed_out = polled.is_none();
            match polled {
                Some(Ok(report)) if report.outcome == Outcome::UpToDate => {
                    return Ok(with_elapsed(report, &schedule));
                }
                Some(Err(error))
                    if !(error.is_temporary() || error.kind() == ErrorKind::SessionLost) =>
                {
                    return Err(error);
                }
                Some(polled) => last = Some(polled),
                None => {}
            }
            if has_timed_out || schedule.is_expired() {
                let last = last.unwrap_or_else(|| Err(self.no_answer_error(&schedule)));
                return last.map(|report| with_elapsed(report, &schedule));
            }
            if schedule.should_report() {
                let waited = schedule.elapsed();
                self.observer.on_event(&match &last {
                    Some(Err(error)) => Event::Unreachable {
                        message: error.message(),
                        waited,
                    },
                    _ => Event::Waiting {
                        key: &self.key,
                        waited,
                        holder: None,
                    },
                });
            }
            let delay = schedule.next_delay().max(POLL_INTERVAL);
            self.with_interrupt(async {
                tokio::time::sleep(delay).await;
                Ok(())
            })
            .await?;
        }
    }

    /// Checks once. Returns `None` without an answer within the time limit.
    async fn poll_current(&self, timeout: Option<Duration>) -> Option<Result<Report>> {
        let poll = self.check_or_all_pending();
        match timeout {
            None => Some(poll.await),
            Some(timeout) => tokio::time::timeout(timeout, poll).await.ok(),
        }
    }

    /// Checks like [`check`](Self::check). In a database that does not exist, every migration is pending.
    async fn check_or_all_pending(&self) -> Result<Report> {
        match self.with_interrupt(self.check()).await {
            Err(error) if error.is_database_missing() => self.report_for(&History::default()),
            checked => checked,
        }
    }

    fn no_answer_error(&self, schedule: &WaitSchedule) -> Error {
        Error::new(
            ErrorKind::Connect,
            format!(
                "{} did not answer within {:.1} s",
                self.connect.url,
                schedule.elapsed().as_secs_f64()
            ),
        )
        .with_status(Status::Temporary)
    }
}

fn with_elapsed(mut report: Report, schedule: &WaitSchedule) -> Report {
    report.waited = schedule.elapsed();
    report
}
