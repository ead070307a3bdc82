//! The run: connect, plan, acquire the lock, plan again, execute, release. It is the same on every engine.

mod acquire;
mod apply;
mod attempt;
mod connect;
mod lock_admin;
mod operation;
mod read_only;
mod reconnect;

use std::sync::Arc;

use crate::Result;
use crate::connect::ConnectOptions;
use crate::event::{NoObserver, Observer};
use crate::foreign_lock::ForeignLocks;
use crate::interrupt::Interrupt;
use crate::lock::{LockKey, LockWait};
use crate::migration::MigrationSet;
use crate::plan::{PlanOptions, Repairs};
use crate::registry::Registry;
use crate::report::{Report, RunError};
use operation::{Operation, Run};

/// Migrates one database. A runner can be used for any number of runs.
///
/// # Cancel safety
/// Every future of a runner can be dropped at any time. The session is then closed: the server frees the lock and rolls back
/// the open transaction. A statement outside a transaction may still finish on the server; the next run learns that from the
/// journal.
#[derive(Clone)]
pub struct Runner {
    set: MigrationSet,
    connect: ConnectOptions,
    registry: Registry,
    key: LockKey,
    foreign_locks: ForeignLocks,
    wait: LockWait,
    plan: PlanOptions,
    observer: Arc<dyn Observer>,
    interrupt: Interrupt,
}

impl Runner {
    /// Creates a runner with the defaults: the lock 4006, a wait of 60 seconds, all pending migrations.
    pub fn new(registry: Registry, connect: ConnectOptions, set: MigrationSet) -> Self {
        Self {
            set,
            connect,
            registry,
            key: LockKey::default(),
            foreign_locks: ForeignLocks::none(),
            wait: LockWait::DEFAULT,
            plan: PlanOptions::default(),
            observer: Arc::new(NoObserver),
            interrupt: Interrupt::new(),
        }
    }

    /// Sets the key of the lock.
    #[must_use]
    pub fn lock_key(mut self, key: LockKey) -> Self {
        self.key = key;
        self
    }

    /// Sets the foreign locks that a run also acquires, so that it excludes other migration tools.
    #[must_use]
    pub fn foreign_locks(mut self, locks: ForeignLocks) -> Self {
        self.foreign_locks = locks;
        self
    }

    /// Sets the time that a run waits for the lock.
    #[must_use]
    pub fn wait(mut self, wait: LockWait) -> Self {
        self.wait = wait;
        self
    }

    /// Sets limits and tolerances of the plan.
    #[must_use]
    pub fn plan_options(mut self, options: PlanOptions) -> Self {
        self.plan = options;
        self
    }

    /// Changes the options of the session: schema, time limits, creation of the database.
    #[must_use]
    pub fn connect_options(mut self, change: impl FnOnce(&mut ConnectOptions)) -> Self {
        change(&mut self.connect);
        self
    }

    /// Sets the observer that receives the events of a run.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// Sets the request that stops a run cleanly.
    #[must_use]
    pub fn interrupt(mut self, interrupt: Interrupt) -> Self {
        self.interrupt = interrupt;
        self
    }

    /// Applies the pending migrations under the lock.
    ///
    /// If no migration is pending, the run does not acquire the lock. If another replica applies the migrations meanwhile,
    /// this run returns without the lock.
    ///
    /// # Errors
    /// Every [`ErrorKind`](crate::ErrorKind). [`RunError::report`] lists the migrations that were applied before the error.
    pub async fn up(&self) -> Result<Report, RunError> {
        self.execute(Operation::Up).await
    }

    /// Undoes migrations with their undo scripts, under the lock: down to [`PlanOptions::to`], or by [`PlanOptions::steps`]
    /// migrations, or by one.
    ///
    /// # Errors
    /// As [`up`](Self::up). Nothing is undone if an undo script is missing.
    pub async fn down(&self) -> Result<Report, RunError> {
        self.execute(Operation::Down).await
    }

    /// Repairs the history, under the lock, exactly as [`repairs`](Self::repairs) or [`in_doubt`](Self::in_doubt) returned it.
    ///
    /// The repair updates changed checksums, deletes rows without a file, and clears failed migrations, so that they start
    /// again with their first statement. After [`in_doubt`](Self::in_doubt), it resolves statements with an unknown outcome.
    ///
    /// # Errors
    /// As [`up`](Self::up). [`ErrorKind::Diverged`](crate::ErrorKind::Diverged) with the differences if the history has
    /// changed since; nothing is written then.
    pub async fn repair(&self, confirmed: &Repairs) -> Result<Report, RunError> {
        self.execute(Operation::Repair(confirmed)).await
    }

    /// Marks every version up to [`PlanOptions::to`] as applied, for a database that already has this schema. Under the lock.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) without a version,
    /// [`ErrorKind::Diverged`](crate::ErrorKind::Diverged) if the history already has versions.
    pub async fn baseline(&self) -> Result<Report, RunError> {
        self.execute(Operation::Baseline).await
    }

    /// Undoes every migration, newest first, and applies all of them again, without releasing the lock in between. The data in
    /// the tables is lost. The report lists what was applied.
    ///
    /// # Errors
    /// As [`up`](Self::up). Nothing is undone if an undo script is missing, a migration is not finished, or the database is
    /// ahead of the files.
    pub async fn rebuild(&self) -> Result<Report, RunError> {
        self.execute(Operation::Rebuild).await
    }

    async fn execute(&self, operation: Operation<'_>) -> Result<Report, RunError> {
        let mut run = Run::new(operation, self.new_report());
        match self.run_with_reconnect(&mut run).await {
            Ok(()) => Ok(run.report),
            Err(error) => Err(RunError::new(error, run.report)),
        }
    }

    fn new_report(&self) -> Report {
        Report::new(self.key.to_string(), self.connect.url.to_string())
    }
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

    /// A service spawns its run as a task, so every future must be `Send`.
    #[test]
    fn futures_are_send() {
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
