use std::time::Duration;

use crate::{DatabaseUrl, Result};

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
    /// Whether a database that does not exist is made.
    pub create: bool,
    /// How long connecting may take. Default 10 s.
    pub connect_timeout: Duration,
    /// How long one statement of a migration may wait for a table before it is taken back and tried again; `None` for as long as the
    /// server lets it. Default 5 s, so that a waiting `ALTER TABLE` does not hold up everybody behind it.
    pub ddl_lock_timeout: Option<Duration>,
    /// How long one statement of a migration may run; `None` for no limit, the default.
    pub statement_timeout: Option<Duration>,
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
            create: false,
            connect_timeout: Duration::from_secs(10),
            ddl_lock_timeout: Some(Duration::from_secs(5)),
            statement_timeout: None,
            run_id: format!("{:016x}", fastrand::u64(..)),
        }
    }
}
