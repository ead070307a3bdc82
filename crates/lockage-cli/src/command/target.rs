//! What most commands work on: one database and one folder of migrations.

use lockage::{
    Backend, ConnectOptions, Interrupt, MigrationSet, PlanOptions, Registry, Result, Runner,
};

use crate::config::Settings;
use crate::output::Output;
use crate::output::progress::Progress;
use crate::work::until_done;

pub(super) struct Target<'a> {
    pub(super) settings: &'a Settings,
    pub(super) set: MigrationSet,
    pub(super) backend: Backend,
    pub(super) connect: ConnectOptions,
    /// Asked for by the first signal, once something runs.
    pub(super) interrupt: Interrupt,
    registry: Registry,
    progress: Progress,
}

impl<'a> Target<'a> {
    /// Finds the backend and reads the folder. Every mistake in a file is told before a connection is made.
    pub(super) fn new(settings: &'a Settings, output: &Output) -> Result<Self> {
        let connect = settings.connect_options()?;
        Self::of_set(settings, connect, settings.migrations()?, output)
    }

    /// A target whose files do not matter.
    pub(super) fn without_files(settings: &'a Settings, output: &Output) -> Result<Self> {
        let connect = settings.connect_options()?;
        Self::of_set(settings, connect, MigrationSet::default(), output)
    }

    fn of_set(
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

    /// Does something with a runner, and stops it cleanly on the first signal.
    pub(super) fn run<T>(
        &self,
        plan: PlanOptions,
        work: impl AsyncFnOnce(Runner) -> Result<T>,
    ) -> Result<T> {
        let runner = Runner::new(
            self.registry.clone(),
            self.connect.clone(),
            self.set.clone(),
        )
        .lock_key(self.settings.lock.clone())
        .align(self.settings.align.clone())
        .wait(self.settings.wait)
        .plan_options(plan)
        .observer(self.progress.clone())
        .interrupt(self.interrupt.clone());
        let done = until_done(&self.interrupt, work(runner));
        self.progress.finish();
        done
    }

    /// The database, without a password.
    pub(super) fn database(&self) -> String {
        self.settings.shown_url().unwrap_or_default()
    }
}
