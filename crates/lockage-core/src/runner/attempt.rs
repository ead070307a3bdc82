//! One attempt of a run: plan without the lock, acquire the lock, execute the plan under the lock.

use super::Runner;
use super::acquire::Acquired;
use super::connect::close_session;
use super::operation::{Operation, Run};
use crate::history::{History, State};
use crate::plan::{Plan, plan_baseline, plan_down, plan_rebuild, plan_up};
use crate::session::Unlocked;
use crate::{ErrorKind, Result};

impl Runner {
    pub(super) async fn attempt(&self, run: &mut Run<'_>) -> Result<()> {
        let mut session = self.open_session().await?;
        if let Some(mut plan) = self.plan_without_lock(&mut session, run).await? {
            run.report.ahead.clone_from(&plan.ahead);
            run.report.set_pending(&plan.steps, &plan);
            if plan.is_empty() {
                return close_session(session).await;
            }
            run.check_scripts(self.backend()?, &mut plan)?;
        }
        match self.acquire(session, run).await? {
            Acquired::AlreadyCurrent(session, plan) => {
                run.report.set_pending(&[], &plan);
                close_session(session).await
            }
            Acquired::Locked(locked) => {
                run.report.took_lock = true;
                self.execute_locked(*locked, run).await
            }
        }
    }

    /// Plans from the history as it is without the lock. Returns `None` if that is not possible while the holder writes.
    pub(super) async fn plan_without_lock(
        &self,
        session: &mut Unlocked,
        run: &Run<'_>,
    ) -> Result<Option<Plan>> {
        match self.with_interrupt(session.history()).await {
            Ok(history) => match self.plan_for_operation(&history, run) {
                // A migration that another run is executing can look diverged. It is checked again under the lock.
                Err(error) if error.kind() == ErrorKind::Diverged && is_running(&history) => {
                    Ok(None)
                }
                planned => planned.map(Some),
            },
            Err(error) if error.is_temporary() && error.kind() == ErrorKind::Unexpected => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Plans the rest of the run. After a reconnect, the steps that the run has already executed count for
    /// [`PlanOptions::steps`](crate::PlanOptions::steps).
    pub(super) fn plan_for_operation(&self, history: &History, run: &Run<'_>) -> Result<Plan> {
        match run.operation {
            Operation::Up => {
                let mut options = self.plan.clone();
                let done = run.report.applied.len();
                options.steps = options.steps.map(|steps| steps.saturating_sub(done));
                plan_up(&self.set, history, &options)
            }
            Operation::Down => plan_down(&self.set, history, &self.plan),
            Operation::Repair(confirmed) => confirmed.confirm(&self.set, history),
            Operation::Rebuild => plan_rebuild(&self.set, history),
            Operation::Baseline => plan_baseline(&self.set, history, self.plan.to.as_ref()),
        }
    }
}

/// Returns whether a migration, or its undo, is running outside a transaction according to the history.
fn is_running(history: &History) -> bool {
    history
        .rows
        .iter()
        .any(|row| matches!(row.state, State::Running | State::Undoing))
}
