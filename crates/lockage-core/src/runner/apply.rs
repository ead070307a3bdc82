//! What happens under the lock.

use std::time::{Duration, Instant};

use super::acquire::interrupted;
use super::{Direction, Runner};
use crate::{Applied, ErrorKind, Event, Locked, Report, Result, Step};

/// How long a cancelled statement, and the release after a failure, may take before the session is dropped instead.
const GRACE: Duration = Duration::from_secs(10);

impl Runner {
    /// Looks again, now that nobody else can write, applies, and releases.
    pub(super) async fn run_locked(
        &self,
        mut locked: Locked,
        direction: Direction,
        report: &mut Report,
    ) -> Result<()> {
        let done = self.apply_all(&mut locked, direction, report).await;
        let key = locked.key().clone();
        let healthy = match &done {
            Ok(()) => true,
            Err(error) => !matches!(error.kind(), ErrorKind::LockLost | ErrorKind::SessionLost),
        };
        if !healthy {
            // Dropping the session is the release: nothing that it still holds outlives it.
            return done;
        }
        match (done, tokio::time::timeout(GRACE, release(locked)).await) {
            (Ok(()), Ok(Ok(()))) => {
                self.observer.on_event(&Event::Released { key: &key });
                Ok(())
            }
            (Ok(()), Ok(Err(error))) => Err(error),
            (Ok(()), Err(_)) => Ok(()),
            (Err(error), _) => Err(error),
        }
    }

    async fn apply_all(
        &self,
        locked: &mut Locked,
        direction: Direction,
        report: &mut Report,
    ) -> Result<()> {
        let plan = self.decide(direction, &self.or_interrupted(locked.history()).await?)?;
        self.observer.on_event(&Event::Locked {
            key: &self.key,
            waited: report.waited,
            steps: plan.steps.len(),
        });
        report.set_pending(&plan.steps);
        if plan.is_empty() {
            return Ok(());
        }
        self.inspect(&plan.steps)?;
        self.or_interrupted(locked.ensure_history()).await?;
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
            self.apply_one(locked, step).await?;
            let took = begun.elapsed();
            report.record(step, took);
            report.set_pending(&plan.steps[index + 1..]);
            self.observer.on_event(&Event::StepFinished { step, took });
        }
        Ok(())
    }

    /// Applies one step; when the run is asked to stop meanwhile, the statement in hand is cancelled on the server and its end
    /// awaited. A step that had just finished counts as applied, and the loop stops behind it.
    async fn apply_one(&self, locked: &mut Locked, step: &Step) -> Result<Applied> {
        let canceller = locked.canceller();
        let mut work = std::pin::pin!(locked.apply(step, &*self.observer));
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = self.interrupt.triggered() => {}
        }
        let end = async {
            // The statement may end by itself between the request and its arrival; the next one is then cancelled.
            let mut again = tokio::time::interval(Duration::from_millis(200));
            loop {
                tokio::select! {
                    done = &mut work => return done,
                    _ = again.tick() => { let _ = canceller.cancel().await; }
                }
            }
        };
        match tokio::time::timeout(GRACE, end).await {
            Ok(Ok(applied)) => Ok(applied),
            Ok(Err(error)) => Err(interrupted().with_source(error)),
            Err(_) => Err(crate::Error::new(
                ErrorKind::SessionLost,
                "the statement in hand could not be cancelled in time; the session was dropped",
            )),
        }
    }
}

async fn release(locked: Locked) -> Result<()> {
    locked.release().await?.close().await
}
