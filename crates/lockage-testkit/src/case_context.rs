use std::path::PathBuf;
use std::time::Duration;

use lockage_core::{
    ConnectOptions, Error, History, LockKey, LockWait, Locked, MigrationSet, PlanOptions, Registry,
    Report, RunError, Runner, Session, State, Step, TryLock, Unlocked, plan,
};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::child::{ChildCommand, ChildProcess, ChildRole};
use crate::{Barrier, Fixture, Suite, TestError, format_error_chain};

/// The pause between two checks of a condition.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The database of one case, with functions to use and to read it.
#[derive(Debug)]
pub(crate) struct CaseContext {
    suite: Suite,
    registry: Registry,
    url: String,
    folder: TempDir,
}

impl CaseContext {
    pub(crate) fn new(suite: Suite, url: String) -> Result<Self, TestError> {
        Ok(Self {
            registry: Registry::default().with(suite.backend)?,
            suite,
            url,
            folder: tempfile::tempdir()?,
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn fixture(&self) -> &dyn Fixture {
        &*self.suite.fixture
    }

    pub(crate) fn suite(&self) -> &Suite {
        &self.suite
    }

    /// Returns the path of a file that only this case uses.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    // ---- waiting -------------------------------------------------------------------------------------------------------

    /// Runs a future. Fails if it takes longer than the timeout of the suite.
    pub(crate) async fn with_timeout<T>(
        &self,
        action: &str,
        work: impl Future<Output = T>,
    ) -> Result<T, TestError> {
        tokio::time::timeout(self.suite.timeout, work)
            .await
            .map_err(|_| format!("{action}: not within {:?}", self.suite.timeout).into())
    }

    /// Runs a future and returns its success. Fails if it fails or takes longer than the timeout.
    pub(crate) async fn with_timeout_ok<T, E: Into<TestError>>(
        &self,
        action: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, TestError> {
        self.with_timeout(action, work)
            .await?
            .map_err(|error| format!("{action}: {}", format_error_chain(&*error.into())).into())
    }

    // ---- sessions ------------------------------------------------------------------------------------------------------

    pub(crate) fn options(&self) -> Result<ConnectOptions, TestError> {
        Ok(ConnectOptions::new(self.url.clone())?)
    }

    pub(crate) async fn connect(&self) -> Result<Unlocked, TestError> {
        self.with_timeout_ok("connecting", self.registry.connect(&self.options()?))
            .await
    }

    /// Opens a session of the backend, for calls that the typestate does not allow.
    pub(crate) async fn raw_session(&self) -> Result<Box<dyn Session>, TestError> {
        self.with_timeout_ok("connecting", self.suite.backend.connect(&self.options()?))
            .await
    }

    /// Acquires a free lock in a new session.
    pub(crate) async fn lock(&self, key: &LockKey) -> Result<Locked, TestError> {
        self.lock_session(self.connect().await?, key).await
    }

    /// Acquires a free lock in an open session.
    pub(crate) async fn lock_session(
        &self,
        session: Unlocked,
        key: &LockKey,
    ) -> Result<Locked, TestError> {
        match self
            .with_timeout_ok("try_lock() on a free lock", session.try_lock(key))
            .await?
        {
            TryLock::Acquired(locked) => Ok(locked),
            TryLock::Busy(_) => {
                Err(format!("the lock {key} is free, but a session could not acquire it").into())
            }
        }
    }

    /// Checks in a new session that a lock is busy.
    pub(crate) async fn expect_busy(&self, key: &LockKey) -> Result<Unlocked, TestError> {
        self.expect_busy_session(self.connect().await?, key).await
    }

    /// Checks in an open session that a lock is busy.
    pub(crate) async fn expect_busy_session(
        &self,
        session: Unlocked,
        key: &LockKey,
    ) -> Result<Unlocked, TestError> {
        match self
            .with_timeout_ok(
                "try_lock() on a held lock, which must not wait",
                session.try_lock(key),
            )
            .await?
        {
            TryLock::Acquired(_) => Err(format!("two sessions hold the lock {key}").into()),
            TryLock::Busy(session) => Ok(session),
        }
    }

    /// Acquires a lock in a new session as soon as it is free.
    pub(crate) async fn wait_for_lock(
        &self,
        action: &str,
        key: &LockKey,
    ) -> Result<Locked, TestError> {
        let mut session = self.connect().await?;
        self.with_timeout_ok(action, async {
            loop {
                match session.try_lock(key).await? {
                    TryLock::Acquired(locked) => return Ok::<_, Error>(locked),
                    TryLock::Busy(busy) => session = busy,
                }
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        })
        .await
    }

    /// Releases a lock and closes the session.
    pub(crate) async fn unlock(&self, locked: Locked) -> Result<(), TestError> {
        let session = self
            .with_timeout_ok("releasing the lock", locked.release())
            .await?;
        self.with_timeout_ok("closing a session", session.close())
            .await
    }

    // ---- runs ----------------------------------------------------------------------------------------------------------

    /// Returns migrations of file names and statements. Directives may follow a name: `V1__a.sql no-transaction`.
    pub(crate) fn migrations(
        &self,
        files: &[(&str, &[String])],
    ) -> Result<MigrationSet, TestError> {
        Ok(MigrationSet::from_texts(files.iter().map(
            |(name, statements)| self.migration_file(name, statements),
        ))?)
    }

    /// Writes the same migrations into a folder, for child processes.
    pub(crate) fn migration_dir(&self, files: &[(&str, &[String])]) -> Result<PathBuf, TestError> {
        let folder = self.path("migrations");
        std::fs::create_dir_all(&folder)?;
        for (name, text) in files
            .iter()
            .map(|(name, statements)| self.migration_file(name, statements))
        {
            std::fs::write(folder.join(name), text)?;
        }
        Ok(folder)
    }

    fn migration_file(&self, name: &str, statements: &[String]) -> (String, String) {
        let mut words = name.split(' ');
        let file = words.next().unwrap_or_default().to_owned();
        let head: String = words.map(|word| format!("-- lockage: {word}\n")).collect();
        (file, head + &self.fixture().script(statements))
    }

    /// Returns a runner with default settings. It waits longer for the lock than the timeout of the suite, so that the case reports a wait
    /// that is too long.
    pub(crate) fn runner(&self, set: &MigrationSet) -> Result<Runner, TestError> {
        Ok(
            Runner::new(self.registry.clone(), self.options()?, set.clone())
                .wait(LockWait::For(self.suite.timeout * 2)),
        )
    }

    /// Returns a runner without a DDL lock timeout, for migrations that block at a barrier.
    pub(crate) fn runner_without_limits(&self, set: &MigrationSet) -> Result<Runner, TestError> {
        Ok(self
            .runner(set)?
            .connect_options(|options| options.ddl_lock_timeout = None))
    }

    /// Creates the history and returns the pending steps.
    pub(crate) async fn steps(
        &self,
        locked: &mut Locked,
        set: &MigrationSet,
    ) -> Result<Vec<Step>, TestError> {
        self.with_timeout_ok("creating the history", locked.ensure_history())
            .await?;
        let history = self
            .with_timeout_ok("reading the history", locked.history())
            .await?;
        Ok(plan::plan_up(set, &history, &PlanOptions::default())?.steps)
    }

    /// Closes the barrier `barrier`.
    pub(crate) async fn close_barrier(&self) -> Result<Box<dyn Barrier>, TestError> {
        self.with_timeout_ok(
            "closing the barrier",
            self.fixture().close_barrier(&self.url, "barrier"),
        )
        .await
    }

    /// Starts a run and waits until it is blocked at the barrier.
    pub(crate) async fn run_until_barrier(
        &self,
        barrier: &dyn Barrier,
        runner: Runner,
    ) -> Result<JoinHandle<Result<Report, RunError>>, TestError> {
        let running = tokio::spawn(async move { runner.up().await });
        self.with_timeout_ok("the migration to reach the barrier", barrier.wait_reached())
            .await?;
        Ok(running)
    }

    // ---- processes -----------------------------------------------------------------------------------------------------

    pub(crate) async fn child(
        &self,
        role: ChildRole,
        key: &LockKey,
    ) -> Result<ChildProcess, TestError> {
        let command = ChildCommand {
            role,
            url: self.url.clone(),
            key: key.into(),
        };
        self.with_timeout_ok(
            "starting a child process",
            ChildProcess::start(&command, self.folder.path()),
        )
        .await
    }

    // ---- results -------------------------------------------------------------------------------------------------------

    pub(crate) fn create_table_sql(&self, table: &str) -> String {
        self.fixture().create_table_sql(table)
    }

    pub(crate) fn insert_sql(&self, table: &str, n: i64) -> String {
        self.fixture().insert_sql(table, n)
    }

    /// Creates a table without a migration.
    pub(crate) async fn create_table(&self, table: &str) -> Result<(), TestError> {
        let create = self.create_table_sql(table);
        self.with_timeout_ok(
            "creating a table",
            self.fixture().execute(&self.url, &create),
        )
        .await
    }

    /// Returns the numbers in a table, or `None` if the table does not exist.
    pub(crate) async fn rows(&self, table: &str) -> Result<Option<Vec<i64>>, TestError> {
        if !self.tables().await?.iter().any(|name| name == table) {
            return Ok(None);
        }
        self.with_timeout_ok("reading a table", self.fixture().rows(&self.url, table))
            .await
            .map(Some)
    }

    /// Returns the sorted names of all tables, in lower case.
    pub(crate) async fn tables(&self) -> Result<Vec<String>, TestError> {
        let mut tables = self
            .with_timeout_ok("listing the tables", self.fixture().tables(&self.url))
            .await?;
        tables
            .iter_mut()
            .for_each(|name| *name = name.to_lowercase());
        tables.sort();
        Ok(tables)
    }

    /// Returns the history, ordered by version. Reads it in a session without the lock.
    pub(crate) async fn history(&self) -> Result<History, TestError> {
        let mut session = self.connect().await?;
        let mut history = self
            .with_timeout_ok("reading the history", session.history())
            .await?;
        self.with_timeout_ok("closing a session", session.close())
            .await?;
        history.rows.sort_by(|a, b| {
            (a.parsed_version(), &a.version).cmp(&(b.parsed_version(), &b.version))
        });
        Ok(history)
    }

    /// Returns the versions with the state `applied` in the history, in order.
    pub(crate) async fn applied_versions(&self) -> Result<Vec<String>, TestError> {
        let history = self.history().await?;
        Ok(history
            .rows
            .into_iter()
            .filter(|row| row.state == State::Applied)
            .map(|row| row.version)
            .collect())
    }
}
