use std::str::FromStr;
use std::time::Duration;

use crate::{DatabaseUrl, Error, ErrorKind, Result};

/// The options that a backend needs to open a session.
///
/// Three time limits are independent of each other: the wait for the migration lock, which is a
/// [`LockWait`](crate::LockWait) and not part of these options, [`ddl_lock_timeout`](Self::ddl_lock_timeout) and
/// [`statement_timeout`](Self::statement_timeout).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// The URL of the database.
    pub url: DatabaseUrl,
    /// The schema of the history table and of unqualified names; `None` for the default schema of the connection.
    pub schema: Option<String>,
    /// The name of the history table; `None` for `lockage_history`. The journal table has this name with the suffix `_journal`,
    /// or `lockage_journal`. With different names, several sets of migrations can share a schema.
    pub history_table: Option<String>,
    /// Whether to create the database if it does not exist.
    pub create: bool,
    /// The time limit for connecting. Default 10 s.
    pub connect_timeout: Duration,
    /// The time that a statement of a migration may wait for the lock of a table before it is rolled back and retried; `None`
    /// for the server's limit. Default 5 s, so that a waiting `ALTER TABLE` does not block later statements of other clients.
    pub ddl_lock_timeout: Option<Duration>,
    /// The time limit for a statement of a migration. Default `None`, for no limit.
    pub statement_timeout: Option<Duration>,
    /// The kind of the migration lock. Processes exclude each other if they use the same strategy.
    pub lock_strategy: LockStrategy,
    /// The id of the run in the history: 16 hexadecimal digits.
    pub run_id: String,
}

impl ConnectOptions {
    /// Creates options with the defaults and a new run id.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) for a text without a scheme.
    pub fn new(url: impl Into<String>) -> Result<Self> {
        DatabaseUrl::parse(url).map(Self::for_url)
    }

    /// Creates options with the defaults and a new run id.
    pub fn for_url(url: DatabaseUrl) -> Self {
        Self {
            url,
            schema: None,
            history_table: None,
            create: false,
            connect_timeout: Duration::from_secs(10),
            ddl_lock_timeout: Some(Duration::from_secs(5)),
            statement_timeout: None,
            lock_strategy: LockStrategy::Auto,
            run_id: format!("{:016x}", fastrand::u64(..)),
        }
    }
}

/// The kind of the migration lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum LockStrategy {
    /// The best kind for this server, as its backend determines it.
    #[default]
    Auto,
    /// The engine's own lock, which belongs to a session.
    Advisory,
    /// A row in Lockage's lock table with a lease that is renewed periodically, for clusters whose nodes do not share locks and
    /// for transaction pooling.
    Table,
}

impl LockStrategy {
    const ALL: [Self; 3] = [Self::Auto, Self::Advisory, Self::Table];

    /// Returns the word in options and outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Advisory => "advisory",
            Self::Table => "table",
        }
    }
}

impl std::fmt::Display for LockStrategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LockStrategy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|strategy| strategy.as_str() == text)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidConfig,
                    format!("unknown lock strategy `{text}`"),
                )
                .with_hint("use auto, advisory or table")
            })
    }
}
