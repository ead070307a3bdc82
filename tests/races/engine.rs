//! The engines of the races, seen through their own clients.

mod mysql;
mod postgres;
mod sqlite;

use std::sync::Arc;
use std::time::{Duration, Instant};

/// An engine that can be raced.
pub(crate) trait Engine: Send + Sync {
    fn name(&self) -> String;

    /// Why it cannot be had here.
    fn missing(&self) -> Option<String>;

    /// An empty database that nobody else uses; removed when dropped.
    fn fresh(&self) -> Result<Box<dyn Database>, String>;

    /// A statement that takes about twenty seconds.
    fn twenty_seconds(&self) -> String;

    /// A statement that does not end.
    fn forever(&self) -> String;

    /// A statement that takes a moment.
    fn pause(&self) -> String;

    fn has_server(&self) -> bool {
        true
    }

    /// Counts the statements of [`forever`](Self::forever) that run in a database; `None` where nobody could tell.
    fn sleepers(&self) -> Option<&'static str> {
        None
    }

    /// Counts the sessions that wait, inside the server, for a lock such as sqlx takes; `None` where it takes none.
    fn waits_for_lock(&self) -> Option<&'static str> {
        None
    }

    /// An account that may connect to a database and nothing else.
    fn stranger(&self, _database: &dyn Database) -> Result<Stranger, String> {
        Err("there are no accounts".into())
    }

    /// The statement with which an administrator ends a session.
    fn ends(&self, _session: &str) -> String {
        String::new()
    }

    /// What the server is told before its disk is filled, so that it lives on.
    fn before_a_full_disk(&self) -> Option<&'static str> {
        None
    }

    fn transactional_ddl(&self) -> bool {
        true
    }

    /// Whether the lock is a row in a table.
    fn locks_by_row(&self) -> bool {
        std::env::var("LOCKAGE_TEST_LOCK_STRATEGY").is_ok_and(|lock| lock == "table")
            || std::env::var("LOCKAGE_TEST_POOLED").is_ok_and(|mode| mode == "transaction")
    }

    /// Whether no lock serves there, so that every run is refused.
    fn refuses(&self) -> bool {
        false
    }

    /// A statement that builds an index of `witness` concurrently, and a query that says `true` when the index is valid.
    fn concurrent_index(&self) -> Option<(&'static str, &'static str)> {
        None
    }
}

/// An account that was made for a test.
pub(crate) struct Stranger {
    pub(crate) url: String,
    /// Takes it away.
    forget: String,
}

impl Stranger {
    /// By its name, with the statement that takes it away.
    fn new(database: &dyn Database, name: &str, forget: String) -> Self {
        let url = database.url();
        let (start, end) = (url.find("//").map_or(0, |at| at + 2), url.find('@'));
        let host = end.map_or(start, |at| at + 1);
        Self {
            url: format!("{}{name}:secret@{}", &url[..start], &url[host..]),
            forget,
        }
    }

    pub(crate) fn forget(&self, database: &dyn Database) -> Result<(), String> {
        database.column(&self.forget).map(drop)
    }
}

/// A database of a race.
pub(crate) trait Database {
    fn url(&self) -> String;

    /// All ways to it.
    fn urls(&self) -> Vec<String> {
        vec![self.url()]
    }

    /// The first column of a query, as text.
    fn column(&self, sql: &str) -> Result<Vec<String>, String>;
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
        Arc::new(postgres::Server::pooled_by_transaction()),
        Arc::new(mysql::Server::mariadb()),
        Arc::new(mysql::Server::mysql()),
        Arc::new(mysql::Server::galera()),
    ]
}

/// Looks until there is something to see.
pub(crate) fn wait_for<T>(
    what: &str,
    mut look: impl FnMut() -> Result<Option<T>, String>,
) -> Result<T, String> {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(seen) = look()? {
            return Ok(seen);
        }
        if Instant::now() > deadline {
            return Err(format!("waited in vain for {what}"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The same server, another database.
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
