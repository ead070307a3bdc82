//! The engines under test, accessed with drivers of their own instead of Lockage.

mod mysql;
mod postgres;
mod sqlite;

use std::sync::Arc;
use std::time::{Duration, Instant};

/// The time limit of [`wait_for`], for slow machines.
const DEADLINE: Duration = Duration::from_secs(120);

const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// An engine under test: how to create a database, and the SQL that the cases need.
pub(crate) trait Engine: Send + Sync {
    fn name(&self) -> String;

    /// Returns why the engine cannot be tested on this machine.
    fn unavailable_reason(&self) -> Option<String>;

    /// Creates an empty database. It is removed when dropped.
    fn create_database(&self) -> Result<Box<dyn Database>, String>;

    /// Returns a statement that takes about twenty seconds.
    fn sleep_20s_sql(&self) -> String;

    /// Returns a statement that does not end.
    fn sleep_forever_sql(&self) -> String;

    /// Returns a statement that takes about 20 milliseconds.
    fn sleep_sql(&self) -> String;

    fn has_server(&self) -> bool {
        true
    }

    /// Returns a query for the number of running [`sleep_forever_sql`](Self::sleep_forever_sql) statements, if the engine shows them.
    fn running_sleeps_sql(&self) -> Option<&'static str> {
        None
    }

    /// Returns a query for the number of sessions that wait inside the server for a lock of the kind that sqlx takes. `None` if sqlx takes
    /// none.
    fn lock_waiters_sql(&self) -> Option<&'static str> {
        None
    }

    /// Creates an account that may read a database, but not terminate sessions.
    fn create_limited_account(&self, _database: &dyn Database) -> Result<LimitedAccount, String> {
        Err("the engine has no accounts".into())
    }

    /// Returns the statement with which an administrator terminates a session.
    fn terminate_session_sql(&self, _session: &str) -> String {
        String::new()
    }

    /// Returns a statement to run before the server's disk is filled, without which the server would shut down.
    fn fill_disk_setup_sql(&self) -> Option<&'static str> {
        None
    }

    fn transactional_ddl(&self) -> bool {
        true
    }

    /// Returns whether the lock is a row in a table.
    fn uses_row_lock(&self) -> bool {
        std::env::var("LOCKAGE_TEST_LOCK_STRATEGY").is_ok_and(|lock| lock == "table")
            || std::env::var("LOCKAGE_TEST_POOLED").is_ok_and(|mode| mode == "transaction")
    }

    /// Returns whether the lock does not work, so that every run must fail.
    fn rejects_runs(&self) -> bool {
        false
    }

    /// Returns a statement that builds an index of `marker` concurrently, and a query that returns `true` if the index is valid.
    fn concurrent_index_sql(&self) -> Option<(&'static str, &'static str)> {
        None
    }
}

/// An account that a test created.
pub(crate) struct LimitedAccount {
    /// The URL of the database with this account.
    pub(crate) url: String,
    drop_sql: String,
}

impl LimitedAccount {
    /// `drop_sql` is the statement that drops the account.
    fn new(database: &dyn Database, name: &str, drop_sql: String) -> Self {
        let url = database.url();
        let (start, end) = (url.find("//").map_or(0, |at| at + 2), url.find('@'));
        let host = end.map_or(start, |at| at + 1);
        Self {
            url: format!("{}{name}:secret@{}", &url[..start], &url[host..]),
            drop_sql,
        }
    }

    pub(crate) fn drop_account(&self, database: &dyn Database) -> Result<(), String> {
        database.query_column(&self.drop_sql).map(drop)
    }
}

/// A database for one case.
pub(crate) trait Database {
    fn url(&self) -> String;

    /// Returns the URLs of all nodes.
    fn urls(&self) -> Vec<String> {
        vec![self.url()]
    }

    /// Runs a statement and returns the first column of its result, as text.
    fn query_column(&self, sql: &str) -> Result<Vec<String>, String>;
}

pub(crate) fn all() -> Vec<Arc<dyn Engine>> {
    vec![
        Arc::new(sqlite::Sqlite {
            journal_mode: "wal",
        }),
        Arc::new(sqlite::Sqlite {
            journal_mode: "delete",
        }),
        Arc::new(postgres::Server::find()),
        Arc::new(postgres::Server::transaction_pooler()),
        Arc::new(mysql::Server::mariadb()),
        Arc::new(mysql::Server::mysql()),
        Arc::new(mysql::Server::galera()),
    ]
}

/// Calls `poll` until it returns a value.
pub(crate) fn wait_for<T>(
    description: &str,
    mut poll: impl FnMut() -> Result<Option<T>, String>,
) -> Result<T, String> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = poll()? {
            return Ok(value);
        }
        if Instant::now() > deadline {
            return Err(format!("timed out waiting for {description}"));
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Returns the URL of another database on the same server.
fn with_database(url: &str, database: &str) -> String {
    let (server, query) = url
        .split_once('?')
        .map_or((url, String::new()), |(url, query)| {
            (url, format!("?{query}"))
        });
    let authority = server.find("//").map_or(0, |at| at + 2);
    let end = server[authority..]
        .find('/')
        .map_or(server.len(), |at| authority + at);
    format!("{}/{database}{query}", &server[..end])
}
