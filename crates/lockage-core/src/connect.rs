use std::str::FromStr;
use std::time::Duration;

use crate::{DatabaseUrl, Error, ErrorKind, Result};

/// What a backend needs to know to open a session.
///
/// Three times are never mixed up: how long a run waits for the migration lock ([`LockWait`](crate::LockWait), not here),
/// [`ddl_lock_timeout`](Self::ddl_lock_timeout) and [`statement_timeout`](Self::statement_timeout).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// The database.
    pub url: DatabaseUrl,
    /// The schema of the history table and of unqualified names; `None` for the one that the connection names.
    pub schema: Option<String>,
    /// The name of the history's table; `None` for `lockage_history`. The journal's is this with `_journal` behind it, or
    /// `lockage_journal`. Another name keeps a set of migrations apart from others in the same schema.
    pub history_table: Option<String>,
    /// Whether a database that does not exist is made.
    pub create: bool,
    /// How long connecting may take. Default 10 s.
    pub connect_timeout: Duration,
    /// How long one statement of a migration may wait for a table before it is taken back and tried again; `None` for as long as the
    /// server lets it. Default 5 s, so that a waiting `ALTER TABLE` does not hold up everybody behind it.
    pub ddl_lock_timeout: Option<Duration>,
    /// How long one statement of a migration may run; `None` for no limit, the default.
    pub statement_timeout: Option<Duration>,
    /// How the migration lock is made. Every process that is to exclude every other must use the same.
    pub lock_strategy: LockStrategy,
    /// Names the run in the history, 16 hexadecimal digits.
    pub run_id: String,
}

impl ConnectOptions {
    /// Options with the defaults and a new run id.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) for a text without a scheme.
    pub fn new(url: impl Into<String>) -> Result<Self> {
        DatabaseUrl::parse(url).map(Self::for_url)
    }

    /// Options with the defaults and a new run id.
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

/// How the migration lock is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum LockStrategy {
    /// The best that the engine has, as its backend finds it.
    #[default]
    Auto,
    /// The engine's own lock that a session holds.
    Advisory,
    /// A lock that ends with a transaction, for poolers that give a client a session only for as long.
    Transaction,
    /// A row in a table of ours with a lease that heartbeats renew, for clusters whose nodes do not see each other's locks.
    Table,
}

impl LockStrategy {
    const ALL: [Self; 4] = [Self::Auto, Self::Advisory, Self::Transaction, Self::Table];

    /// The word in options and outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Advisory => "advisory",
            Self::Transaction => "transaction",
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
                    format!("`{text}` is no lock strategy"),
                )
                .with_hint("write auto, advisory, transaction or table")
            })
    }
}
