//! What happens under the lock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::acquire::interrupted;
use super::look::end;
use super::{Aim, Runner};
use crate::{Action, Canceller, Error, ErrorKind, Event, Locked, Report, Result};

/// How long a cancelled statement, and the release after a failure, may take before the session is dropped instead.
const GRACE: Duration = Duration::from_secs(10);

/// The pause between two requests to cancel.
const CANCEL_AGAIN: Duration = Duration::from_millis(200);

impl Runner {
    /// Looks again, now that nobody else can write, applies, and releases.
    pub(super) async fn run_locked(
        &self,
        mut locked: Locked,
        aim: Aim<'_>,
        report: &mut Report,
    ) -> Result<()> {
        let done = self.apply_all(&mut locked, aim, report).await;
        let key = locked.key().clone();
        if done.as_ref().is_err_and(is_lost) {
            // Dropping the session is the release: nothing that it still holds outlives it.
            return done;
        }
        self.observer.on_event(&Event::Releasing { key: &key });
        let released = match tokio::time::timeout(GRACE, release(locked)).await {
            Ok(released) => {
                released.inspect(|()| self.observer.on_event(&Event::Released { key: &key }))
            }
            // The session was dropped with the release unfinished, which ends it and frees the lock.
            Err(_) => Ok(()),
        };
        done.and(released)
    }

    async fn apply_all(
        &self,
        locked: &mut Locked,
        aim: Aim<'_>,
        report: &mut Report,
    ) -> Result<()> {
        let canceller = locked.canceller();
        let history = self.or_cancelled(canceller, locked.history()).await?;
        report.recall(&history, &self.connect.run_id);
        let plan = self.decide(aim, &history, report)?;
        self.observer.on_event(&Event::Locked {
            key: &self.key,
            waited: report.waited,
            steps: plan.steps.len(),
        });
        report.future.clone_from(&plan.future);
        report.set_pending(&plan.steps, &plan);
        if plan.is_empty() {
            return Ok(());
        }
        self.inspect(&plan.steps)?;
        let canceller = locked.canceller();
        self.or_cancelled(canceller, locked.ensure_history())
            .await?;
        for (index, step) in plan.steps.iter().enumerate() {
            if self.interrupt.is_triggered() {
                return Err(interrupted());
            }
            self.observer.on_event(&Event::StepStarted {
                step,
                index,
                steps: plan.steps.len(),
            });
            let begun = Instant::now();
            report.open_step(step);
            let canceller = locked.canceller();
            self.or_cancelled(canceller, locked.apply(step, &*self.observer))
                .await?;
            let took = begun.elapsed();
            report.close_step();
            // A rebuild takes back what it applies again.
            if !matches!(aim, Aim::Rebuild) || step.action == Action::Apply {
                report.record(step, took);
            }
            report.set_pending(&plan.steps[index + 1..], &plan);
            self.observer.on_event(&Event::StepFinished { step, took });
        }
        Ok(())
    }

    /// Does one thing under the lock. When the run is asked to stop meanwhile, the statement in hand is cancelled on the server
    /// and its end awaited, so that the session stays fit to release the lock. What had just finished counts, and the run
    /// stops behind it.
    async fn or_cancelled<T>(
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
        // A request may arrive when its statement has just ended; the next one is then cancelled. A slow request does not keep
        // the run from seeing that end.
        let cancel = async {
            loop {
                let _ = canceller.cancel().await;
                tokio::time::sleep(CANCEL_AGAIN).await;
            }
        };
        let end = async {
            tokio::select! {
                biased;
                done = &mut work => done,
                never = cancel => never,
            }
        };
        match tokio::time::timeout(GRACE, end).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) if is_lost(&error) => Err(error),
            Ok(Err(error)) => Err(interrupted().with_source(error)),
            Err(_) => Err(Error::new(
                ErrorKind::SessionLost,
                "the statement in hand could not be cancelled in time; the session was dropped",
            )),
        }
    }
}

/// Whether the session is no good any more.
fn is_lost(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::LockLost | ErrorKind::SessionLost)
}

async fn release(locked: Locked) -> Result<()> {
    end(locked.release().await?).await
}
