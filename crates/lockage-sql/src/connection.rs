//! The trait [`Connection`]: one connection to a server that runs SQL.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use lockage_core::{Canceller, LockKey, LockProvider, Result};

use crate::command::{Command, CommandError, Notice, Row};
use crate::dialect::Dialect;

/// One connection to a database, never pooled: runs SQL and holds the engine's own lock.
///
/// A backend implements this trait, [`ScriptHooks`](crate::ScriptHooks), [`Recovery`](crate::Recovery) and
/// [`LeaseSupport`](crate::LeaseSupport) for one type. [`SqlSession`](crate::SqlSession) turns that type into a [`Session`](lockage_core::Session): the history, transactions, the
/// statement journal and resuming are implemented there, once for all engines.
///
/// # Cancel safety
/// Dropping a future of this trait before it is ready leaves the connection in an unknown state. The caller then drops the
/// connection too. Dropping the connection ends the session on the server, and cancels the running statement where the engine
/// supports that.
#[async_trait]
pub trait Connection: LockProvider + fmt::Debug {
    /// Returns how the engine writes SQL.
    fn dialect(&self) -> &'static Dialect;

    /// Returns the database user, if the engine has users.
    fn user(&self) -> Option<&str> {
        None
    }

    /// Runs one internal query in one round trip and returns its rows.
    async fn query(&mut self, sql: &str) -> Result<Vec<Row>, CommandError>;

    /// Runs commands in order, in as few round trips as the engine allows, and stops at the first that fails.
    ///
    /// Calls `on_done` with the index of each command that succeeded, in order.
    async fn execute(
        &mut self,
        commands: &[Command<'_>],
        on_done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), CommandError>;

    /// Removes and returns the messages that the server sent since the last call.
    fn take_notices(&mut self) -> Vec<Notice> {
        Vec::new()
    }

    /// Returns the schema that holds the history, or will hold it, when the options name none; `None` where names need no
    /// schema.
    ///
    /// The session must hold the lock, because a script can change how unqualified names resolve.
    async fn history_schema(&mut self) -> Result<Option<String>> {
        Ok(None)
    }

    /// Creates a schema if it does not exist. An existing schema requires no privilege to create one.
    async fn ensure_schema(&mut self, schema: &str) -> Result<()>;

    /// Checks that the history really does not exist, after a query did not find its table.
    ///
    /// # Errors
    /// Fails when a history exists, or may exist, that this user cannot see: an invisible history is not an empty one.
    async fn check_history_absent(&mut self, _schema: Option<&str>) -> Result<()> {
        Ok(())
    }

    /// Returns an SQL condition that is true while this session holds the lock. It is checked in the round trip that writes.
    ///
    /// With `None`, the SQL layer calls [`holds`](LockProvider::holds) before it writes.
    fn lock_condition(&self, _key: &LockKey) -> Option<String> {
        None
    }

    /// Returns a handle that cancels the running statement while a call borrows the connection.
    fn canceller(&self) -> Arc<dyn Canceller>;

    /// Closes the session in an orderly way.
    async fn close(self) -> Result<()>
    where
        Self: Sized;
}
