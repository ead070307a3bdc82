//! The database and the migrations that most commands work on.

use lockage::{
    Backend, ConnectOptions, Error, Interrupt, MigrationSet, PlanOptions, Registry, Result, Runner,
};

use crate::config::Settings;
use crate::output::Output;
use crate::output::progress::Progress;
use crate::runtime::block_on_with_signals;

pub(super) struct Target<'a> {
    pub(super) settings: &'a Settings,
    pub(super) set: MigrationSet,
    pub(super) backend: Backend,
    pub(super) connect: ConnectOptions,
    /// Triggered by the first signal during [`run`](Self::run).
    pub(super) interrupt: Interrupt,
    registry: Registry,
    progress: Progress,
}

impl<'a> Target<'a> {
    /// Finds the backend and reads the migrations, so invalid files are reported before connecting.
    pub(super) fn new(settings: &'a Settings, output: &Output) -> Result<Self> {
        let connect = settings.connect_options()?;
        Self::with_set(settings, connect, settings.migrations()?, output)
    }

    /// Finds the backend, for a command that needs no migrations.
    pub(super) fn without_files(settings: &'a Settings, output: &Output) -> Result<Self> {
        let connect = settings.connect_options()?;
        Self::with_set(settings, connect, MigrationSet::default(), output)
    }

    fn with_set(
        settings: &'a Settings,
        connect: ConnectOptions,
        set: MigrationSet,
        output: &Output,
    ) -> Result<Self> {
        let registry = Registry::linked()?;
        let backend = *registry.find(connect.url.scheme())?;
        Ok(Self {
            settings,
            set,
            backend,
            connect,
            interrupt: Interrupt::new(),
            registry,
            progress: Progress::new(output.clone(), backend),
        })
    }

    /// Blocks on `work` with a runner. The first signal interrupts the runner.
    pub(super) fn run<T, E: From<Error>>(
        &self,
        plan: PlanOptions,
        work: impl AsyncFnOnce(Runner) -> Result<T, E>,
    ) -> Result<T, E> {
        let runner = Runner::new(
            self.registry.clone(),
            self.connect.clone(),
            self.set.clone(),
        )
        .lock_key(self.settings.lock.clone())
        .foreign_locks(self.settings.foreign_locks.clone())
        .wait(self.settings.wait)
        .plan_options(plan)
        .observer(self.progress.clone())
        .interrupt(self.interrupt.clone());
        let result = block_on_with_signals(&self.interrupt, work(runner));
        self.progress.finish();
        result
    }

    /// Returns the URL of the database, without a password.
    pub(super) fn database(&self) -> String {
        self.settings.redacted_url().unwrap_or_default()
    }
}
