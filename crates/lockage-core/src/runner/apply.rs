//! Executing a plan under the lock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Runner;
use super::connect::{close_session, interrupted_error};
use super::operation::{Operation, Run};
use crate::event::Event;
use crate::migration::Kind;
use crate::plan::{EMPTY_SCRIPT, Plan};
use crate::session::{Canceller, Locked};
use crate::step::{Action, Step};
use crate::{Error, ErrorKind, Result};

/// The time limit for the end of a cancelled statement, and for the release of the lock. Afterwards the session is dropped.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(10);

/// The interval between two requests to cancel.
const CANCEL_RETRY_INTERVAL: Duration = Duration::from_millis(200);

impl Runner {
    /// Plans again, since no other run can write now, executes the plan, and releases the lock.
    pub(super) async fn execute_locked(&self, mut locked: Locked, run: &mut Run<'_>) -> Result<()> {
        let done = self.execute_plan(&mut locked, run).await;
        let key = locked.key().clone();
        if done.as_ref().is_err_and(is_session_lost) {
            // Dropping the session is the release: what it still holds ends with it.
            return done;
        }
        self.observer.on_event(&Event::Releasing { key: &key });
        let released = match tokio::time::timeout(CANCEL_TIMEOUT, release(locked)).await {
            Ok(released) => {
                released.inspect(|()| self.observer.on_event(&Event::Released { key: &key }))
            }
            // The timeout dropped the session, which frees the lock.
            Err(_) => Ok(()),
        };
        done.and(released)
    }

    async fn execute_plan(&self, locked: &mut Locked, run: &mut Run<'_>) -> Result<()> {
        let canceller = locked.canceller();
        let history = self.with_cancellation(canceller, locked.history()).await?;
        run.report.reconcile(&history, &self.connect.run_id);
        let mut plan = self.plan_for_operation(&history, run)?;
        self.observer.on_event(&Event::Locked {
            key: &self.key,
            waited: run.report.waited,
            steps: plan.steps.len(),
        });
        run.report.ahead.clone_from(&plan.ahead);
        run.report.set_pending(&plan.steps, &plan);
        if plan.is_empty() {
            return Ok(());
        }
        run.check_scripts(self.backend()?, &mut plan)?;
        let canceller = locked.canceller();
        self.with_cancellation(canceller, locked.ensure_history())
            .await?;
        for index in 0..plan.steps.len() {
            self.execute_step(locked, run, &plan, index, history.rows.is_empty())
                .await?;
        }
        Ok(())
    }

    async fn execute_step(
        &self,
        locked: &mut Locked,
        run: &mut Run<'_>,
        plan: &Plan,
        index: usize,
        history_is_empty: bool,
    ) -> Result<()> {
        if self.interrupt.is_triggered() {
            return Err(interrupted_error());
        }
        let step: &Step = &plan.steps[index];
        self.observer.on_event(&Event::StepStarted {
            step,
            index,
            steps: plan.steps.len(),
        });
        if step.action == Action::Apply
            && step.migration.kind() == Kind::Versioned
            && step.migration.is_empty()
        {
            self.observer.on_event(&Event::Notice {
                severity: "WARNING",
                message: &format!("{}: {EMPTY_SCRIPT}", step.migration.file()),
            });
        }
        let started_at = Instant::now();
        run.report.begin_step(step);
        let canceller = locked.canceller();
        self.with_cancellation(canceller, locked.apply(step, &*self.observer))
            .await
            .map_err(|error| match history_is_empty && index == 0 {
                true => hint_at_baseline(error),
                false => error,
            })?;
        let took = started_at.elapsed();
        run.report.finish_step();
        // A rebuild reports what it applies, not what it undoes before that.
        if !matches!(run.operation, Operation::Rebuild) || step.action == Action::Apply {
            run.report.record(step, took);
        }
        run.report.set_pending(&plan.steps[index + 1..], plan);
        self.observer.on_event(&Event::StepFinished { step, took });
        Ok(())
    }

    /// Awaits `work`. When the run is interrupted, cancels the running statement on the server and waits for its end, so that
    /// the session can still release the lock. If the statement had just finished, its result counts, and the run stops
    /// after it.
    async fn with_cancellation<T>(
        &self,
        canceller: Arc<dyn Canceller>,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = self.interrupt.triggered() => {}
        }
        // A request that arrives after the end of its statement does not cancel the next statement, so it is repeated. It
        // runs beside `work`, so that a slow request does not delay the result.
        let cancel = async {
            loop {
                let _ = canceller.cancel().await;
                tokio::time::sleep(CANCEL_RETRY_INTERVAL).await;
            }
        };
        let end = async {
            tokio::select! {
                biased;
                done = &mut work => done,
                never = cancel => never,
            }
        };
        match tokio::time::timeout(CANCEL_TIMEOUT, end).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) if is_session_lost(&error) => Err(error),
            Ok(Err(error)) => Err(interrupted_error().with_source(error)),
            Err(_) => Err(Error::new(
                ErrorKind::SessionLost,
                "the running statement could not be cancelled in time; the session was dropped",
            )),
        }
    }
}

/// Returns whether the session can no longer be used.
fn is_session_lost(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::LockLost | ErrorKind::SessionLost)
}

/// Adds the hint at `baseline` to the error of a first run that creates what exists already.
fn hint_at_baseline(error: Error) -> Error {
    const HINT: &str = "if the database has the schema of these files already, mark it with `lockage baseline --at VERSION`";
    let message = error.message().to_lowercase();
    // The words of SQLite, PostgreSQL, MySQL and MariaDB; those of SQL Server.
    let exists =
        message.contains("already exists") || message.contains("there is already an object");
    if error.kind() != ErrorKind::MigrationFailed || !exists {
        return error;
    }
    let hint = match error.hint() {
        Some(hint) => format!("{hint}; {HINT}"),
        None => HINT.to_owned(),
    };
    error.with_hint(hint)
}

async fn release(locked: Locked) -> Result<()> {
    close_session(locked.release().await?).await
}
