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

/// The pause between two looks at something that is to happen.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// One case's database, and the ways to it.
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

    /// A path for a file of this case's, which does not exist yet.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    // ---- waiting -------------------------------------------------------------------------------------------------------

    /// What the work comes to, in time.
    pub(crate) async fn with_timeout<T>(
        &self,
        what: &str,
        work: impl Future<Output = T>,
    ) -> Result<T, TestError> {
        tokio::time::timeout(self.suite.deadline, work)
            .await
            .map_err(|_| format!("{what}: not within {:?}", self.suite.deadline).into())
    }

    /// What the work succeeds with, in time.
    pub(crate) async fn with_timeout_ok<T, E: Into<TestError>>(
        &self,
        what: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, TestError> {
        self.with_timeout(what, work)
            .await?
            .map_err(|failure| format!("{what}: {}", format_error_chain(&*failure.into())).into())
    }

    // ---- sessions ------------------------------------------------------------------------------------------------------

    pub(crate) fn options(&self) -> Result<ConnectOptions, TestError> {
        Ok(ConnectOptions::new(self.url.clone())?)
    }

    pub(crate) async fn connect(&self) -> Result<Unlocked, TestError> {
        self.with_timeout_ok("a session", self.registry.connect(&self.options()?))
            .await
    }

    /// A session as the backend made it, for calls that the typestate rules out.
    pub(crate) async fn raw_session(&self) -> Result<Box<dyn Session>, TestError> {
        self.with_timeout_ok("a session", self.suite.backend.connect(&self.options()?))
            .await
    }

    /// A session that takes a lock which must be free.
    pub(crate) async fn lock(&self, key: &LockKey) -> Result<Locked, TestError> {
        self.lock_session(self.connect().await?, key).await
    }

    /// The same, with a session that stands.
    pub(crate) async fn lock_session(
        &self,
        session: Unlocked,
        key: &LockKey,
    ) -> Result<Locked, TestError> {
        match self
            .with_timeout_ok("a try for a free lock", session.try_lock(key))
            .await?
        {
            TryLock::Acquired(locked) => Ok(locked),
            TryLock::Busy(_) => {
                Err(format!("the lock {key} is free, but a session did not get it").into())
            }
        }
    }

    /// A session that must not get a lock, since it is held.
    pub(crate) async fn expect_busy(&self, key: &LockKey) -> Result<Unlocked, TestError> {
        self.expect_busy_session(self.connect().await?, key).await
    }

    /// The same, with a session that stands.
    pub(crate) async fn expect_busy_session(
        &self,
        session: Unlocked,
        key: &LockKey,
    ) -> Result<Unlocked, TestError> {
        match self
            .with_timeout_ok(
                "a try for a held lock, which must not wait",
                session.try_lock(key),
            )
            .await?
        {
            TryLock::Acquired(_) => Err(format!("two sessions hold the lock {key} at once").into()),
            TryLock::Busy(session) => Ok(session),
        }
    }

    /// A session that gets a lock as soon as it is free.
    pub(crate) async fn wait_for_lock(
        &self,
        what: &str,
        key: &LockKey,
    ) -> Result<Locked, TestError> {
        let mut session = self.connect().await?;
        self.with_timeout_ok(what, async {
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

    /// Gives a lock back and ends the session.
    pub(crate) async fn unlock(&self, locked: Locked) -> Result<(), TestError> {
        let session = self
            .with_timeout_ok("giving the lock back", locked.release())
            .await?;
        self.with_timeout_ok("closing a session", session.close())
            .await
    }

    // ---- runs ----------------------------------------------------------------------------------------------------------

    /// Migrations from file names and statements. A name may be followed by directives: `V1__a.sql no-transaction`.
    pub(crate) fn migrations(
        &self,
        files: &[(&str, &[String])],
    ) -> Result<MigrationSet, TestError> {
        Ok(MigrationSet::from_texts(files.iter().map(
            |(name, statements)| self.migration_file(name, statements),
        ))?)
    }

    /// The same migrations in a folder, for child processes.
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

    /// A run with the defaults, more patient than the suite: of a wait that is too long, the case tells.
    pub(crate) fn runner(&self, set: &MigrationSet) -> Result<Runner, TestError> {
        Ok(
            Runner::new(self.registry.clone(), self.options()?, set.clone())
                .wait(LockWait::For(self.suite.deadline * 2)),
        )
    }

    /// A run whose statements may stand still: how long one waits for a table is not the point of the case.
    pub(crate) fn runner_without_limits(&self, set: &MigrationSet) -> Result<Runner, TestError> {
        Ok(self
            .runner(set)?
            .connect_options(|options| options.ddl_lock_timeout = None))
    }

    /// What a run would do, with the history made.
    pub(crate) async fn steps(
        &self,
        locked: &mut Locked,
        set: &MigrationSet,
    ) -> Result<Vec<Step>, TestError> {
        self.with_timeout_ok("making the history", locked.ensure_history())
            .await?;
        let history = self
            .with_timeout_ok("reading the history", locked.history())
            .await?;
        Ok(plan::plan(set, &history, &PlanOptions::default())?.steps)
    }

    /// Closes the barrier that scripts name `barrier`: a statement stands there until it is opened.
    pub(crate) async fn close_barrier(&self) -> Result<Box<dyn Barrier>, TestError> {
        self.with_timeout_ok(
            "closing the barrier",
            self.fixture().close_barrier(&self.url, "barrier"),
        )
        .await
    }

    /// Starts a run, which then stands at the barrier.
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
            "a child process",
            ChildProcess::start(&command, self.folder.path()),
        )
        .await
    }

    // ---- evidence ------------------------------------------------------------------------------------------------------

    pub(crate) fn create_table_sql(&self, table: &str) -> String {
        self.fixture().create_table_sql(table)
    }

    pub(crate) fn insert_sql(&self, table: &str, n: i64) -> String {
        self.fixture().insert_sql(table, n)
    }

    /// Makes a table beside the migrations.
    pub(crate) async fn create_table(&self, table: &str) -> Result<(), TestError> {
        let create = self.create_table_sql(table);
        self.with_timeout_ok("making a table", self.fixture().execute(&self.url, &create))
            .await
    }

    /// The numbers in a table; `None` when there is no such table.
    pub(crate) async fn rows(&self, table: &str) -> Result<Option<Vec<i64>>, TestError> {
        if !self.tables().await?.iter().any(|name| name == table) {
            return Ok(None);
        }
        self.with_timeout_ok(
            "looking into a table",
            self.fixture().rows(&self.url, table),
        )
        .await
        .map(Some)
    }

    /// The tables, in lower case and in order.
    pub(crate) async fn tables(&self) -> Result<Vec<String>, TestError> {
        let mut tables = self
            .with_timeout_ok("looking for tables", self.fixture().tables(&self.url))
            .await?;
        tables
            .iter_mut()
            .for_each(|name| *name = name.to_lowercase());
        tables.sort();
        Ok(tables)
    }

    /// The history as a session without the lock reads it, ordered by version.
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

    /// The versions that the history says are applied, in order.
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
