use std::path::PathBuf;
use std::time::Duration;

use lockage_core::{
    TryLock, ConnectOptions, Error, History, LockKey, LockWait, Locked, MigrationSet, PlanOptions,
    Registry, Report, Runner, Session, State, Step, Unlocked, plan,
};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::child::{ChildProcess, Orders, Role};
use crate::{Failure, Fixture, Gate, Suite, told};

/// The pause between two looks at something that is to happen.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// One case's database, and the ways to it.
#[derive(Debug)]
pub(crate) struct Scene {
    suite: Suite,
    registry: Registry,
    url: String,
    folder: TempDir,
}

impl Scene {
    pub(crate) fn new(suite: Suite, url: String) -> Result<Self, Failure> {
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
    pub(crate) async fn in_time<T>(
        &self,
        what: &str,
        work: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        tokio::time::timeout(self.suite.deadline, work)
            .await
            .map_err(|_| format!("{what}: not within {:?}", self.suite.deadline).into())
    }

    /// What the work succeeds with, in time.
    pub(crate) async fn within<T, E: Into<Failure>>(
        &self,
        what: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Failure> {
        self.in_time(what, work)
            .await?
            .map_err(|failure| format!("{what}: {}", told(&*failure.into())).into())
    }

    // ---- sessions ------------------------------------------------------------------------------------------------------

    pub(crate) fn options(&self) -> Result<ConnectOptions, Failure> {
        Ok(ConnectOptions::new(self.url.clone())?)
    }

    pub(crate) async fn connect(&self) -> Result<Unlocked, Failure> {
        self.within("a session", self.registry.connect(&self.options()?))
            .await
    }

    /// A session as the backend made it, for calls that the typestate rules out.
    pub(crate) async fn bare(&self) -> Result<Box<dyn Session>, Failure> {
        self.within("a session", self.suite.backend.connect(&self.options()?))
            .await
    }

    /// A session that takes a lock which must be free.
    pub(crate) async fn locked(&self, key: &LockKey) -> Result<Locked, Failure> {
        self.lock_with(self.connect().await?, key).await
    }

    /// The same, with a session that stands.
    pub(crate) async fn lock_with(
        &self,
        session: Unlocked,
        key: &LockKey,
    ) -> Result<Locked, Failure> {
        match self
            .within("a try for a free lock", session.try_lock(key))
            .await?
        {
            TryLock::Acquired(locked) => Ok(locked),
            TryLock::Busy(_) => {
                Err(format!("the lock {key} is free, but a session did not get it").into())
            }
        }
    }

    /// A session that must not get a lock, since it is held.
    pub(crate) async fn refused(&self, key: &LockKey) -> Result<Unlocked, Failure> {
        self.refuse(self.connect().await?, key).await
    }

    /// The same, with a session that stands.
    pub(crate) async fn refuse(
        &self,
        session: Unlocked,
        key: &LockKey,
    ) -> Result<Unlocked, Failure> {
        match self
            .within(
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
    pub(crate) async fn locked_soon(&self, what: &str, key: &LockKey) -> Result<Locked, Failure> {
        let mut session = self.connect().await?;
        self.within(what, async {
            loop {
                match session.try_lock(key).await? {
                    TryLock::Acquired(locked) => return Ok::<_, Error>(locked),
                    TryLock::Busy(busy) => session = busy,
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        })
        .await
    }

    /// Gives a lock back and ends the session.
    pub(crate) async fn leave(&self, locked: Locked) -> Result<(), Failure> {
        let session = self
            .within("giving the lock back", locked.release())
            .await?;
        self.within("closing a session", session.close()).await
    }

    // ---- runs ----------------------------------------------------------------------------------------------------------

    /// Migrations from file names and statements. A name may be followed by directives: `V1__a.sql no-transaction`.
    pub(crate) fn set(&self, files: &[(&str, &[String])]) -> Result<MigrationSet, Failure> {
        Ok(MigrationSet::from_texts(
            files
                .iter()
                .map(|(name, statements)| self.file(name, statements)),
        )?)
    }

    /// The same migrations in a folder, for child processes.
    pub(crate) fn folder(&self, files: &[(&str, &[String])]) -> Result<PathBuf, Failure> {
        let folder = self.path("migrations");
        std::fs::create_dir_all(&folder)?;
        for (name, text) in files
            .iter()
            .map(|(name, statements)| self.file(name, statements))
        {
            std::fs::write(folder.join(name), text)?;
        }
        Ok(folder)
    }

    fn file(&self, name: &str, statements: &[String]) -> (String, String) {
        let mut words = name.split(' ');
        let file = words.next().unwrap_or_default().to_owned();
        let head: String = words.map(|word| format!("-- lockage: {word}\n")).collect();
        (file, head + &self.fixture().script(statements))
    }

    /// A run with the defaults, more patient than the suite: of a wait that is too long, the case tells.
    pub(crate) fn runner(&self, set: &MigrationSet) -> Result<Runner, Failure> {
        Ok(
            Runner::new(self.registry.clone(), self.options()?, set.clone())
                .wait(LockWait::For(self.suite.deadline * 2)),
        )
    }

    /// A run whose statements may stand still: how long one waits for a table is not the point of the case.
    pub(crate) fn patient_runner(&self, set: &MigrationSet) -> Result<Runner, Failure> {
        Ok(self
            .runner(set)?
            .connect_options(|options| options.ddl_lock_timeout = None))
    }

    /// What a run would do, with the history made.
    pub(crate) async fn steps(
        &self,
        locked: &mut Locked,
        set: &MigrationSet,
    ) -> Result<Vec<Step>, Failure> {
        self.within("making the history", locked.ensure_history())
            .await?;
        let history = self.within("reading the history", locked.history()).await?;
        Ok(plan::plan(set, &history, &PlanOptions::default())?.steps)
    }

    /// Closes the gate that scripts name `gate`: a statement stands there until it is opened.
    pub(crate) async fn closed_gate(&self) -> Result<Box<dyn Gate>, Failure> {
        self.within(
            "closing the gate",
            self.fixture().close_gate(&self.url, "gate"),
        )
        .await
    }

    /// Starts a run, which then stands at the gate.
    pub(crate) async fn run_to(
        &self,
        gate: &dyn Gate,
        runner: Runner,
    ) -> Result<JoinHandle<lockage_core::Result<Report>>, Failure> {
        let running = tokio::spawn(async move { runner.up().await });
        self.within("the migration to reach the gate", gate.reached())
            .await?;
        Ok(running)
    }

    // ---- processes -----------------------------------------------------------------------------------------------------

    pub(crate) async fn child(&self, role: Role, key: &LockKey) -> Result<ChildProcess, Failure> {
        let orders = Orders {
            role,
            url: self.url.clone(),
            key: key.into(),
        };
        self.within(
            "a child process",
            ChildProcess::start(&orders, self.folder.path()),
        )
        .await
    }

    // ---- evidence ------------------------------------------------------------------------------------------------------

    pub(crate) fn create(&self, table: &str) -> String {
        self.fixture().create_table(table)
    }

    pub(crate) fn put(&self, table: &str, n: i64) -> String {
        self.fixture().insert(table, n)
    }

    /// Makes a table beside the migrations.
    pub(crate) async fn make(&self, table: &str) -> Result<(), Failure> {
        let create = self.create(table);
        self.within("making a table", self.fixture().execute(&self.url, &create))
            .await
    }

    /// The numbers in a table; `None` when there is no such table.
    pub(crate) async fn rows(&self, table: &str) -> Result<Option<Vec<i64>>, Failure> {
        if !self.tables().await?.iter().any(|name| name == table) {
            return Ok(None);
        }
        self.within(
            "looking into a table",
            self.fixture().rows(&self.url, table),
        )
        .await
        .map(Some)
    }

    /// The tables, in lower case and in order.
    pub(crate) async fn tables(&self) -> Result<Vec<String>, Failure> {
        let mut tables = self
            .within("looking for tables", self.fixture().tables(&self.url))
            .await?;
        tables
            .iter_mut()
            .for_each(|name| *name = name.to_lowercase());
        tables.sort();
        Ok(tables)
    }

    /// The history as a session without the lock reads it, ordered by version.
    pub(crate) async fn history(&self) -> Result<History, Failure> {
        let mut session = self.connect().await?;
        let mut history = self
            .within("reading the history", session.history())
            .await?;
        self.within("closing a session", session.close()).await?;
        history.rows.sort_by(|a, b| {
            (a.parsed_version(), &a.version).cmp(&(b.parsed_version(), &b.version))
        });
        Ok(history)
    }

    /// The versions that the history says are applied, in order.
    pub(crate) async fn applied(&self) -> Result<Vec<String>, Failure> {
        let history = self.history().await?;
        Ok(history
            .rows
            .into_iter()
            .filter(|row| row.state == State::Applied)
            .map(|row| row.version)
            .collect())
    }
}
