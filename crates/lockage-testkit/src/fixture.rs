use std::error::Error;

use async_trait::async_trait;
use lockage_core::{LockHolder, LockKey};

/// Why something in a test went wrong. Any error and any text becomes one by `?` or `.into()`.
pub type TestError = Box<dyn Error + Send + Sync>;

/// What a case needs beyond a database, and not every engine can give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ability {
    /// The engine itself: a server, its binaries, a file system. Every case needs it.
    Engine,
    /// [`Fixture::barrier`] and [`Fixture::close_barrier`].
    Barrier,
    /// [`Fixture::release_lock_sql`].
    GiveUpLock,
    /// [`Fixture::steal_lock`].
    TakeAwayLock,
    /// [`Fixture::terminate_session`].
    EndSession,
    /// The server notices that a client is gone while its statement runs, not only when the statement ends.
    NoticesDeadClient,
    /// Other processes see the database and the lock. Answered by
    /// [`Capabilities::cross_process_lock`](lockage_core::Capabilities::cross_process_lock): the fixture is not asked.
    Processes,
    /// A migration and its history row commit together. Answered by
    /// [`Capabilities::transactional_ddl`](lockage_core::Capabilities::transactional_ddl): the fixture is not asked.
    TransactionalDdl,
}

/// What the suite has to know of an engine: how to get a database, how to look into it without Lockage, and the few statements that the
/// cases are made of.
///
/// A fixture looks with the engine's own client, never through the backend under test: it is the witness.
///
/// # Tables
/// All tables of the cases have one column, `n`, of whole numbers, neither unique nor null. Their names are lower-case letters and
/// underscores. Rows are evidence: which statements ran, how often, and which did not.
///
/// # Processes and runtimes
/// Cases run side by side, in threads under `cargo test` and in processes under nextest, and each has a tokio runtime of its own. So a
/// fixture keeps no connection from one call to the next (a [`Barrier`] may, for as long as it stands), and names what it makes by
/// [`unique_name`](crate::unique_name). A server that a fixture starts is started by the first
/// [`create_database`](Self::create_database), kept in a `OnceLock` of the fixture, and stopped when the fixture is dropped, which
/// [`conformance`](crate::conformance) does before it returns. Child processes run the same `main` and get a URL: they make a fixture and
/// never call it.
#[async_trait]
pub trait Fixture: Send + Sync + 'static {
    /// Says why a need cannot be met here; `None` when it can. The reason is shown beside each case that is left out:
    /// `no postgres: set LOCKAGE_TEST_POSTGRES_URL or install its server`.
    ///
    /// Asked for each case while the cases are listed, so it must be quick and start nothing. Answer needs that you do not know with
    /// a reason: new ones may come.
    fn unsupported(&self, ability: Ability) -> Option<String>;

    /// Makes an empty database that nobody else uses, and returns its URL as a user of the backend would write it.
    async fn create_database(&self) -> Result<String, TestError>;

    /// Removes the database, with whatever sessions are left in it.
    async fn drop_database(&self, url: &str) -> Result<(), TestError>;

    /// The names of the tables in the schema that the URL leads to, those of Lockage included.
    async fn tables(&self, url: &str) -> Result<Vec<String>, TestError>;

    /// The committed numbers in a table, ascending. An error when there is no such table.
    async fn rows(&self, url: &str, table: &str) -> Result<Vec<i64>, TestError>;

    /// Runs one statement and commits it.
    async fn execute(&self, url: &str, statement: &str) -> Result<(), TestError>;

    /// The statement that makes a table. It fails when the table exists.
    fn create_table_sql(&self, table: &str) -> String {
        format!("CREATE TABLE {table} (n INTEGER NOT NULL)")
    }

    /// The statement that appends a number to a table. It fails when the table is missing.
    fn insert_sql(&self, table: &str, n: i64) -> String {
        format!("INSERT INTO {table} (n) VALUES ({n})")
    }

    /// Joins statements to the text of a migration file, in which the backend is to see just as many statements.
    fn script(&self, statements: &[String]) -> String {
        statements
            .iter()
            .map(|statement| format!("{statement};\n"))
            .collect()
    }

    /// The statement, one and no more, that stands still when it begins while the barrier is closed, for two minutes at the least, and does
    /// nothing and is over at once when it begins while the barrier is open. It is open unless [`close_barrier`](Self::close_barrier) closed
    /// it.
    ///
    /// Once it stands, it need not notice that the barrier opens: cases end it by cancelling, by dropping or by killing. But it must end by
    /// those, as any long statement of a user would. Where the engine can, loop over a short sleep and a look at a table of the
    /// barrier's, with a new snapshot each time; where it cannot sleep, let it count to a great number that it reads from that table.
    ///
    /// Needed with [`Ability::Barrier`].
    fn barrier_sql(&self, barrier: &str) -> Result<String, TestError> {
        unsupported_error(barrier, "barrier")
    }

    /// Closes a barrier. It may make tables for that.
    ///
    /// Needed with [`Ability::Barrier`].
    async fn close_barrier(&self, url: &str, barrier: &str) -> Result<Box<dyn Barrier>, TestError> {
        unsupported_error((url, barrier), "close_barrier")
    }

    /// The statement by which the holder's own session gives the lock up without the backend's doing, like
    /// `SELECT pg_advisory_unlock_all()`.
    ///
    /// Needed with [`Ability::ReleaseInScript`].
    fn release_lock_sql(&self, key: &LockKey) -> Result<String, TestError> {
        unsupported_error(key, "release_lock_sql")
    }

    /// Takes the lock from its holder, from outside, while the holder's session lives on; for instance by removing the file that is the
    /// lock.
    ///
    /// Needed with [`Ability::StealLock`].
    async fn steal_lock(&self, url: &str, key: &LockKey) -> Result<(), TestError> {
        unsupported_error((url, key), "steal_lock")
    }

    /// Ends the session that holds the lock, as an administrator would: `SELECT pg_terminate_backend(…)` of
    /// [`LockHolder::session`]. Returns when the server has taken the order; the session may end a little later.
    ///
    /// Needed with [`Ability::TerminateSession`].
    async fn terminate_session(&self, url: &str, holder: &LockHolder) -> Result<(), TestError> {
        unsupported_error((url, holder), "terminate_session")
    }
}

/// A closed barrier.
#[async_trait]
pub trait Barrier: Send + Sync {
    /// Returns once a migration stands at the barrier or, where the engine does not tell, once its transaction is open. It may wait for
    /// ever: the case has a deadline.
    async fn wait_reached(&self) -> Result<(), TestError>;

    /// Opens the barrier for every statement that begins from now on.
    async fn open(self: Box<Self>) -> Result<(), TestError>;
}

fn unsupported_error<T>(_: impl Sized, method: &str) -> Result<T, TestError> {
    Err(format!("the fixture does not say that it lacks it, but has no `{method}`").into())
}
