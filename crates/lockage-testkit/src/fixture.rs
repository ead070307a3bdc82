use std::error::Error;

use async_trait::async_trait;
use lockage_core::{LockHolder, LockKey};

/// The error of a test. Any error and any text converts into it with `?` or `.into()`.
pub type TestError = Box<dyn Error + Send + Sync>;

/// An ability of an engine and its fixture that some cases need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ability {
    /// The engine is available: a server, its binaries, a file system. Every case needs it.
    Engine,
    /// [`Fixture::barrier_sql`] and [`Fixture::close_barrier`].
    Barrier,
    /// [`Fixture::release_lock_sql`].
    ReleaseInScript,
    /// [`Fixture::steal_lock`].
    StealLock,
    /// [`Fixture::terminate_session`].
    TerminateSession,
    /// The server detects a disconnected client while a statement runs, not only after the statement.
    DetectsDeadClient,
    /// [`Fixture::lock_table`].
    TableLock,
    /// [`Fixture::create_temporary_table_sql`].
    TemporaryTable,
    /// [`Fixture::change_setting_sql`] and [`Fixture::insert_setting_sql`].
    SessionSetting,
    /// Other processes see the database and the lock. The suite reads it from
    /// [`Capabilities::cross_process_lock`](lockage_core::Capabilities::cross_process_lock), not from the fixture.
    Processes,
    /// A migration and its history row commit together. The suite reads it from
    /// [`Capabilities::transactional_ddl`](lockage_core::Capabilities::transactional_ddl), not from the fixture.
    TransactionalDdl,
}

/// Everything that the suite needs from an engine: databases, a way to read them without Lockage, and a few statements.
///
/// A fixture uses the engine's own client and never the backend under test, so that its results are independent of the backend.
///
/// # Tables
/// All tables of the cases have one column `n` with integers. It is not unique and not nullable. Table names consist of lower-case letters
/// and underscores. The rows show which statements ran and how often.
///
/// # Processes and runtimes
/// Cases run concurrently, in threads under `cargo test` and in processes under nextest. Each case has its own tokio runtime. Therefore a
/// fixture must not keep a connection from one call to the next (a [`Barrier`] may, while it is closed), and must name new objects with
/// [`unique_name`](crate::unique_name).
///
/// If a fixture starts a server, it starts it in the first [`create_database`](Self::create_database) and keeps it in a `OnceLock`. The
/// server stops when the fixture is dropped, which [`conformance`](crate::conformance) does before it returns. Child processes run the same
/// `main` and receive a URL: they create a fixture and never call it.
#[async_trait]
pub trait Fixture: Send + Sync + 'static {
    /// Returns the reason why an ability is not supported here, or `None` if it is. The reason is shown with each skipped case:
    /// `no postgres: set LOCKAGE_TEST_POSTGRES_URL or install its server`.
    ///
    /// The suite calls it for each case while it lists the cases, so it must return quickly and start nothing. Return a reason for unknown
    /// abilities, because later versions may add some.
    fn unsupported(&self, ability: Ability) -> Option<String>;

    /// Creates an empty database that no other client uses. Returns its URL in the form that users of the backend write.
    async fn create_database(&self) -> Result<String, TestError>;

    /// Removes the database and terminates remaining sessions in it.
    async fn drop_database(&self, url: &str) -> Result<(), TestError>;

    /// Returns the names of the tables in the schema of the URL, including those of Lockage.
    async fn tables(&self, url: &str) -> Result<Vec<String>, TestError>;

    /// Returns the committed numbers in a table, in ascending order. Fails if the table does not exist.
    async fn rows(&self, url: &str, table: &str) -> Result<Vec<i64>, TestError>;

    /// Runs one statement and commits it.
    async fn execute(&self, url: &str, statement: &str) -> Result<(), TestError>;

    /// Returns the statement that creates a table. The statement fails if the table exists.
    fn create_table_sql(&self, table: &str) -> String {
        format!("CREATE TABLE {table} (n INTEGER NOT NULL)")
    }

    /// Returns the statement that inserts a number into a table. The statement fails if the table does not exist.
    fn insert_sql(&self, table: &str, n: i64) -> String {
        format!("INSERT INTO {table} (n) VALUES ({n})")
    }

    /// Joins statements to the text of a migration file. The backend must find exactly these statements in it.
    fn script(&self, statements: &[String]) -> String {
        statements
            .iter()
            .map(|statement| format!("{statement};\n"))
            .collect()
    }

    /// Returns a single statement that blocks if it starts while the barrier is closed, and otherwise does nothing and returns
    /// immediately. It must block for at least two minutes. A barrier is open until [`close_barrier`](Self::close_barrier) closes it.
    ///
    /// A blocked statement need not notice that the barrier opens: cases end it by cancelling, dropping or killing, and it must end then
    /// like any long statement. If the engine supports it, loop over a short sleep and a query of a barrier table with a new snapshot each
    /// time. If the engine cannot sleep, count to a large number that the statement reads from that table.
    ///
    /// Required for [`Ability::Barrier`].
    fn barrier_sql(&self, barrier: &str) -> Result<String, TestError> {
        unsupported_error(barrier, "barrier_sql")
    }

    /// Closes a barrier. It may create tables.
    ///
    /// Required for [`Ability::Barrier`].
    async fn close_barrier(&self, url: &str, barrier: &str) -> Result<Box<dyn Barrier>, TestError> {
        unsupported_error((url, barrier), "close_barrier")
    }

    /// Returns the statement by which the holder's session releases the lock without the backend, such as
    /// `SELECT pg_advisory_unlock_all()`.
    ///
    /// Required for [`Ability::ReleaseInScript`].
    fn release_lock_sql(&self, key: &LockKey) -> Result<String, TestError> {
        unsupported_error(key, "release_lock_sql")
    }

    /// Removes the lock from its holder while the holder's session stays open, for example by removing the lock file.
    ///
    /// Required for [`Ability::StealLock`].
    async fn steal_lock(&self, url: &str, key: &LockKey) -> Result<(), TestError> {
        unsupported_error((url, key), "steal_lock")
    }

    /// Terminates the session that holds the lock, as an administrator would, such as with `SELECT pg_terminate_backend(…)` and
    /// [`LockHolder::session`]. Returns when the server has accepted the request. The session may end later.
    ///
    /// Required for [`Ability::TerminateSession`].
    async fn terminate_session(&self, url: &str, holder: &LockHolder) -> Result<(), TestError> {
        unsupported_error((url, holder), "terminate_session")
    }

    /// Locks a table, or the whole database, in a session of the engine's own client, until [`TableLock::unlock`]. Statements of other
    /// sessions that insert into the table wait for the lock, and reading the database stays possible.
    ///
    /// Required for [`Ability::TableLock`].
    async fn lock_table(&self, url: &str, table: &str) -> Result<Box<dyn TableLock>, TestError> {
        unsupported_error((url, table), "lock_table")
    }

    /// Returns the statement that creates a temporary table with the columns of all tables, which exists until the session ends. The
    /// statement fails if the session has this temporary table, and succeeds if a permanent table has the same name.
    ///
    /// Required for [`Ability::TemporaryTable`].
    fn create_temporary_table_sql(&self, table: &str) -> Result<String, TestError> {
        unsupported_error(table, "create_temporary_table_sql")
    }

    /// Returns the statement that changes a setting or a variable of the session, which stays changed until the session ends.
    ///
    /// Required for [`Ability::SessionSetting`].
    fn change_setting_sql(&self) -> Result<String, TestError> {
        unsupported_error((), "change_setting_sql")
    }

    /// Returns the statement that inserts 1 into a table if [`change_setting_sql`](Self::change_setting_sql) ran in the session, and
    /// 0 otherwise.
    ///
    /// Required for [`Ability::SessionSetting`].
    fn insert_setting_sql(&self, table: &str) -> Result<String, TestError> {
        unsupported_error(table, "insert_setting_sql")
    }
}

/// A closed barrier, at which statements block.
#[async_trait]
pub trait Barrier: Send + Sync {
    /// Waits until a migration is blocked at the barrier. If the engine does not report this, waits until the migration's transaction is
    /// open. It may wait forever: the case has a timeout.
    async fn wait_reached(&self) -> Result<(), TestError>;

    /// Opens the barrier for all statements that start from now on.
    async fn open(self: Box<Self>) -> Result<(), TestError>;
}

/// A locked table.
#[async_trait]
pub trait TableLock: Send {
    /// Unlocks the table. Nothing else has changed in the database.
    async fn unlock(self: Box<Self>) -> Result<(), TestError>;
}

fn unsupported_error<T>(_: impl Sized, method: &str) -> Result<T, TestError> {
    Err(
        format!("the fixture does not implement `{method}`; report the ability in `unsupported`")
            .into(),
    )
}
