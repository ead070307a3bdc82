use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::Result;
use crate::capabilities::Capabilities;
use crate::event::Observer;
use crate::history::History;
use crate::lock::{LockProof, LockProvider};
use crate::step::{Step, StepResult};

/// A connection to a database that is used only for migrating it and never pooled.
///
/// Lock, history and scripts share the connection, so a session that is lost can no longer write.
pub trait Session: LockProvider + Migrator + fmt::Debug {}

impl<T: LockProvider + Migrator + fmt::Debug + ?Sized> Session for T {}

/// The history and script operations of a session.
///
/// # Contract
/// - A method that requires a [`LockProof`] checks that the lock is still held, in the same transaction or round trip if the
///   engine can. If it is not, the method writes nothing and returns [`LockLost`](crate::ErrorKind::LockLost).
/// - On an engine with transactional DDL, a script and its history row commit together.
/// - A version that is applied according to the history never runs a second time.
///
/// # Cancel safety
/// If a future of this trait is dropped before it is ready, the state of the session is unknown. Drop the session, too: the
/// server rolls back what is not committed and frees the lock.
#[async_trait]
pub trait Migrator: Send {
    /// Returns the capabilities of the engine.
    fn capabilities(&self) -> Capabilities;

    /// Reads the history, in one round trip on a server. Returns an empty history if the table does not exist. Writes
    /// nothing.
    ///
    /// # Errors
    /// [`Unexpected`](crate::ErrorKind::Unexpected) with the status [`Temporary`](crate::Status::Temporary) if a writer
    /// blocks readers for a while. A waiting run then continues to wait.
    async fn history(&mut self) -> Result<History>;

    /// Creates the history table if it does not exist.
    async fn ensure_history(&mut self, proof: &LockProof) -> Result<()>;

    /// Executes one step.
    ///
    /// # Errors
    /// [`MigrationFailed`](crate::ErrorKind::MigrationFailed) with the position of the statement in its file.
    async fn apply(
        &mut self,
        proof: &LockProof,
        step: &Step,
        observer: &dyn Observer,
    ) -> Result<StepResult>;

    /// Returns a handle that cancels the running statement while a call borrows the session.
    fn canceller(&self) -> Arc<dyn Canceller>;

    /// Closes the session.
    async fn close(self: Box<Self>) -> Result<()>;
}

/// Cancels the statement that a session runs.
#[async_trait]
pub trait Canceller: Send + Sync + fmt::Debug {
    /// Asks the server to cancel the statement. The call that runs it then fails, unless it has just finished.
    async fn cancel(&self) -> Result<()>;
}
