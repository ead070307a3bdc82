//! The run: connect, look, wait, lock, look again, apply, release. The same on every engine.

mod acquire;
mod anew;
mod apply;
mod locks;
mod look;
mod mend;
mod repair;
#[cfg(test)]
mod sample;

use std::sync::Arc;

use crate::{
    Action, ConnectOptions, Error, ErrorKind, ForeignLocks, History, Interrupt, LockKey, LockWait,
    MigrationSet, NoObserver, Observer, Plan, PlanOptions, Registry, Report, Result, RunError,
    State, Step, Unlocked, plan,
};
use acquire::Acquired;
pub use locks::ForeignLockStatus;
use look::end;
pub use repair::{Repair, Repairs};

/// Migrates one database. Build it once, run it as often as you like.
///
/// # Cancel safety
/// Every future of a runner may be dropped at any time. The session is then closed: the server frees the lock and rolls back
/// the transaction in hand. A statement outside a transaction may still end on the server; its journal says so to the next run.
#[derive(Clone)]
pub struct Runner {
    set: MigrationSet,
    connect: ConnectOptions,
    registry: Registry,
    key: LockKey,
    align: ForeignLocks,
    wait: LockWait,
    plan: PlanOptions,
    observer: Arc<dyn Observer>,
    interrupt: Interrupt,
}

/// What a run is for.
#[derive(Debug, Clone, Copy)]
enum Aim<'a> {
    Up,
    Down,
    Repair(&'a Repairs),
    Baseline,
    Rebuild,
}

impl Runner {
    /// A runner with the defaults: the lock 4006, a wait of 60 seconds, everything that is pending.
    pub fn new(registry: Registry, connect: ConnectOptions, set: MigrationSet) -> Self {
        Self {
            set,
            connect,
            registry,
            key: LockKey::default(),
            align: ForeignLocks::none(),
            wait: LockWait::DEFAULT,
            plan: PlanOptions::default(),
            observer: Arc::new(NoObserver),
            interrupt: Interrupt::new(),
        }
    }

    /// Takes another lock.
    #[must_use]
    pub fn lock_key(mut self, key: LockKey) -> Self {
        self.key = key;
        self
    }

    /// Takes the locks of neighbours too, so that other tools and this run keep out of each other's way.
    #[must_use]
    pub fn align(mut self, align: ForeignLocks) -> Self {
        self.align = align;
        self
    }

    /// Waits otherwise.
    #[must_use]
    pub fn wait(mut self, wait: LockWait) -> Self {
        self.wait = wait;
        self
    }

    /// Goes less far, or puts up with more.
    #[must_use]
    pub fn plan_options(mut self, options: PlanOptions) -> Self {
        self.plan = options;
        self
    }

    /// Changes how the session is opened: schema, time limits, creation of the database.
    #[must_use]
    pub fn connect_options(mut self, change: impl FnOnce(&mut ConnectOptions)) -> Self {
        change(&mut self.connect);
        self
    }

    /// Tells what happens while it happens.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// Stops cleanly when asked.
    #[must_use]
    pub fn interrupt(mut self, interrupt: Interrupt) -> Self {
        self.interrupt = interrupt;
        self
    }

    /// Applies what is pending, under the lock. Where nothing is pending the lock is not touched; where another replica
    /// applies it meanwhile, this one leaves without the lock.
    ///
    /// # Errors
    /// Of every kind; [`RunError::report`] says what was applied before.
    pub async fn up(&self) -> Result<Report, RunError> {
        self.go(Aim::Up).await
    }

    /// Takes migrations back with their undo scripts, under the lock: down to [`PlanOptions::to`], or by [`PlanOptions::steps`], or by
    /// one.
    ///
    /// # Errors
    /// As [`up`](Self::up); nothing is undone when an undo script is missing.
    pub async fn down(&self) -> Result<Report, RunError> {
        self.go(Aim::Down).await
    }

    /// Mends the history, under the lock, as [`repairs`](Self::repairs) or [`in_doubt`](Self::in_doubt) showed it: accepts changed
    /// checksums, forgets rows that have no file, clears migrations that failed half way, so that they start again from their first
    /// statement; or answers for statements whose end nobody saw.
    ///
    /// # Errors
    /// As [`up`](Self::up); [`ErrorKind::Diverged`] with what changed where the history is no longer as it was shown. Nothing is
    /// written then.
    pub async fn repair(&self, confirmed: &Repairs) -> Result<Report, RunError> {
        self.go(Aim::Repair(confirmed)).await
    }

    /// Marks what an existing database already has: everything up to [`PlanOptions::to`] counts as applied. Under the lock.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] without a version, [`ErrorKind::Diverged`] where the history has versions already.
    pub async fn baseline(&self) -> Result<Report, RunError> {
        self.go(Aim::Baseline).await
    }

    /// Takes everything back with the undo scripts, newest first, and applies it again: under one lock, which is not given back in
    /// between. What stands in the tables is lost. The report tells what was applied.
    ///
    /// # Errors
    /// As [`up`](Self::up); nothing is undone when an undo script is missing, when a migration is not finished, or when the database
    /// is ahead of the files.
    pub async fn rebuild(&self) -> Result<Report, RunError> {
        self.go(Aim::Rebuild).await
    }

    async fn go(&self, aim: Aim<'_>) -> Result<Report, RunError> {
        let mut report = self.new_report();
        match self.run_on(aim, &mut report).await {
            Ok(()) => Ok(report),
            Err(error) => Err(RunError::new(error, report)),
        }
    }

    async fn run(&self, aim: Aim<'_>, report: &mut Report) -> Result<()> {
        let mut session = self.open().await?;
        if let Some(first) = self.glance(&mut session, aim, report).await? {
            report.future.clone_from(&first.future);
            report.set_pending(&first.steps, &first);
            if first.is_empty() {
                return end(session).await;
            }
            self.inspect(&first.steps)?;
        }
        match self.acquire(session, aim, report).await? {
            Acquired::Current(session, plan) => {
                report.set_pending(&[], &plan);
                end(session).await
            }
            Acquired::Locked(locked) => {
                report.took_lock = true;
                self.run_locked(*locked, aim, report).await
            }
        }
    }

    /// Looks without the lock; `None` when the holder's writing keeps readers out for now.
    async fn glance(
        &self,
        session: &mut Unlocked,
        aim: Aim<'_>,
        report: &Report,
    ) -> Result<Option<Plan>> {
        match self.or_interrupted(session.history()).await {
            Ok(history) => match self.decide(aim, &history, report) {
                // What somebody has in hand may look wrong until they are done; it is judged under the lock.
                Err(error) if error.kind() == ErrorKind::Diverged && in_hand(&history) => Ok(None),
                decided => decided.map(Some),
            },
            Err(error) if error.is_temporary() && error.kind() == ErrorKind::Unexpected => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is to be done, by a run that has done what its report says: one that began anew does no more than is left.
    fn decide(&self, aim: Aim<'_>, history: &History, report: &Report) -> Result<Plan> {
        match aim {
            Aim::Up => {
                let mut options = self.plan.clone();
                let done = report.applied.len();
                options.steps = options.steps.map(|steps| steps.saturating_sub(done));
                plan::plan(&self.set, history, &options)
            }
            Aim::Down => plan::plan_down(&self.set, history, &self.plan),
            Aim::Repair(confirmed) => confirmed.plan(&self.set, history),
            Aim::Rebuild => mend::plan_rebuild(&self.set, history),
            Aim::Baseline => mend::plan_baseline(&self.set, history, self.plan.to.as_ref()),
        }
    }

    /// Reads the scripts as the engine will, so that a mistake in one is told before anything is locked.
    fn inspect(&self, steps: &[Step]) -> Result<()> {
        let backend = self.registry.find(self.connect.url.scheme())?;
        let mistakes = steps
            .iter()
            .filter(|step| matches!(step.action, Action::Apply | Action::Undo))
            .filter_map(|step| backend.check_script(&step.migration, &mut |_| {}).err());
        Error::combine(mistakes).map_or(Ok(()), Err)
    }

    fn new_report(&self) -> Report {
        Report::new(self.key.to_string(), self.connect.url.to_string())
    }
}

/// Whether the history says that a migration, or an undo, is under way outside a transaction.
fn in_hand(history: &History) -> bool {
    let under_way = [State::Running, State::Undoing];
    history
        .rows
        .iter()
        .any(|row| under_way.contains(&row.state))
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner")
            .field("connect", &self.connect)
            .field("key", &self.key)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service spawns its run: every future must be able to move between threads.
    #[test]
    fn futures_may_move_between_threads() {
        fn is_send<F: Send>(_: impl Fn(&'static Runner) -> F) {}
        is_send(Runner::up);
        is_send(Runner::down);
        is_send(Runner::repairs);
        is_send(|runner| async { runner.repair(&runner.repairs().await.unwrap()).await });
        is_send(Runner::status);
        is_send(Runner::plan);
        is_send(Runner::check);
        is_send(Runner::lock_holder);
        is_send(|runner| runner.wait_until_current(None));
    }
}
