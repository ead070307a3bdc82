//! The trait [`LeaseSupport`]: what the lock in a table needs from an engine.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lockage_core::{Error, ErrorKind, LockHolder, LockKey, LockStrategy, Result};

use crate::connection::Connection;

/// Support for the lock in a table, which is a row with a lease. All methods have defaults: the engine has no lock in a table.
///
/// # Cancel safety
/// As for [`Connection`].
#[async_trait]
pub trait LeaseSupport: Connection {
    /// Returns the lock strategy to use when the options leave it to the backend.
    fn default_lock_strategy(&self) -> LockStrategy {
        LockStrategy::Advisory
    }

    /// Returns how other sessions can recognise this session on the server. Called before the session acquires the row.
    async fn lease_session(&mut self) -> Result<LeaseSession> {
        Ok(LeaseSession::default())
    }

    /// Opens another connection to the same database, which renews the lease.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] by default.
    async fn open_sibling(&mut self) -> Result<Box<dyn LeaseSupport>> {
        Err(Error::new(
            ErrorKind::Unsupported,
            format!("{} has no lock in a table", self.dialect().engine),
        ))
    }

    /// Makes the server end this session when it is idle for longer than `timeout`, and keeps the session from being idle while
    /// it has nothing to do. `None` removes the limit.
    ///
    /// It is in effect while the session holds the lock in a table: the server must end the session of a holder that vanished
    /// before its lease expires.
    async fn set_idle_timeout(&mut self, _timeout: Option<Duration>) -> Result<()> {
        Ok(())
    }

    /// Returns whether other runs may use the lock in a table while this session uses the engine's own lock. The SQL layer then
    /// checks the row as well, so that the two kinds exclude each other. Called after an attempt to acquire the lock.
    fn must_check_table_lock(&self) -> bool {
        false
    }

    /// Returns whether another session holds the engine's own lock, where runs may use either kind.
    async fn native_lock_held_by_other(&mut self, _key: &LockKey) -> Result<bool> {
        Ok(false)
    }

    /// Adds to a holder that was read from the row what the server knows about its session: the migration, the running
    /// statement and the progress.
    async fn enrich_holder(&mut self, _holder: &mut LockHolder) {}

    /// Terminates the session of a holder whose lease expired. `session` is its [`LeaseSession::id`], `since` the time at which
    /// it acquired the lock.
    ///
    /// Returns `false` when the session exists and cannot be terminated.
    async fn terminate_session(&mut self, _session: &str, _since: Option<&str>) -> Result<bool> {
        Ok(true)
    }

    /// Returns the statement, or an instruction, with which an administrator terminates a session.
    fn terminate_session_sql(&self, _session: &str) -> Option<String> {
        None
    }

    /// Returns whether this user can see that a session ended. The session may belong to another node of a cluster, or the
    /// server may hide it.
    async fn can_see_session(&mut self, _session: &str) -> bool {
        true
    }
}

/// How other sessions recognise a session on the server; see [`LeaseSupport::lease_session`].
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct LeaseSession {
    /// The server's identifier of the session.
    pub id: Option<String>,
    /// An SQL condition that is true on another connection while the session exists; `None` where the server does not report
    /// it.
    pub exists_sql: Option<String>,
    /// Reports without a round trip whether the server closed the session. With a probe, `exists_sql` is evaluated only after
    /// the probe reported the end.
    pub disconnect_probe: Option<DisconnectProbe>,
}

impl LeaseSession {
    /// Creates an identity from the server's identifier and a condition.
    pub fn new(id: Option<String>, exists_sql: Option<String>) -> Self {
        Self {
            id,
            exists_sql,
            disconnect_probe: None,
        }
    }

    /// Adds a probe of the socket.
    #[must_use]
    pub fn with_disconnect_probe(self, probe: Option<DisconnectProbe>) -> Self {
        Self {
            disconnect_probe: probe,
            ..self
        }
    }
}

impl fmt::Debug for LeaseSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeaseSession")
            .field("id", &self.id)
            .field("exists_sql", &self.exists_sql)
            .finish_non_exhaustive()
    }
}

/// Returns whether the server closed a session, without a round trip. It does not keep the connection open.
pub type DisconnectProbe = Arc<dyn Fn() -> bool + Send + Sync>;
