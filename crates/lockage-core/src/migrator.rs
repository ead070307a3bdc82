use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{History, LockProof, Migration, Observer, Result};

/// What an engine can do; shown by `lockage backends` and asked by the conformance kit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// A migration and its history row commit together, DDL included.
    pub transactional_ddl: bool,
    /// The lock works between processes. `false` for a database that lives in one process.
    pub cross_process_lock: bool,
    /// How the lock is made, in a few words.
    pub lock: &'static str,
    /// A query with which an operator sees the lock on the server, by hand.
    pub lock_query: Option<&'static str>,
}

impl Capabilities {
    /// Capabilities of an engine whose lock works between processes.
    pub const fn new(transactional_ddl: bool, lock: &'static str) -> Self {
        Self {
            transactional_ddl,
            cross_process_lock: true,
            lock,
            lock_query: None,
        }
    }

    /// The same, with another lock.
    #[must_use]
    pub const fn with_lock(mut self, lock: &'static str) -> Self {
        self.lock = lock;
        self.lock_query = None;
        self
    }

    /// The same, with the query that shows the lock.
    #[must_use]
    pub const fn with_holder_query(mut self, query: &'static str) -> Self {
        self.lock_query = Some(query);
        self
    }

    /// The same, for a database that lives in one process.
    #[must_use]
    pub const fn single_process(mut self) -> Self {
        self.cross_process_lock = false;
        self
    }
}

/// What to do with a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Runs the script and records it. If a part of it is already committed, continues after that part.
    Apply,
    /// Run the undo script and mark the version undone. The step's migration is the undo script.
    Undo,
    /// Record it as applied, without running it.
    MarkApplied,
    /// Take the file as it is now for what was applied: its checksum and its name.
    UpdateChecksum,
    /// Say of the statement that was under way when a run died that it took effect.
    ResolveApplied,
    /// Say of that statement that it did not take effect, so that it runs again.
    ResolveNotApplied,
    /// Forget what the history says of it: its row and its journal.
    DeleteRow,
}

/// One thing to do, decided by a plan.
#[derive(Debug, Clone)]
pub struct Step {
    /// The migration.
    pub migration: Arc<Migration>,
    /// What to do with it.
    pub action: Action,
}

impl Step {
    /// A step.
    pub fn new(migration: Arc<Migration>, action: Action) -> Self {
        Self { migration, action }
    }
}

/// What a step did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepResult {
    /// How many statements ran; fewer than the script has when earlier ones were committed by a run that died.
    pub statements: u32,
}

impl StepResult {
    /// A step of so many statements.
    pub fn new(statements: u32) -> Self {
        Self { statements }
    }
}

/// A session's side of history and scripts.
///
/// # Contract
/// - What needs a [`LockProof`] checks, as part of the same transaction or round trip where the engine can, that the lock is still held, and
///   writes nothing when it is not ([`LockLost`](crate::ErrorKind::LockLost)).
/// - Where DDL is transactional, a script and its history row commit together.
/// - A version that the history says is applied is never run a second time.
///
/// # Cancel safety
/// When a future of this trait is dropped before it is ready, the session's state is unknown. Drop the session too: the server
/// rolls back what is not committed and frees the lock.
#[async_trait]
pub trait Migrator: Send {
    /// What the engine can do.
    fn capabilities(&self) -> Capabilities;

    /// Reads the history, in one round trip where there is a server. No table is an empty history. Writes nothing.
    ///
    /// # Errors
    /// A retryable [`Unexpected`](crate::ErrorKind::Unexpected) where a writer keeps readers out for a while: a waiting run then
    /// goes on waiting.
    async fn history(&mut self) -> Result<History>;

    /// Makes the table of the history where it is missing.
    async fn ensure_history(&mut self, held: &LockProof) -> Result<()>;

    /// Does one step.
    ///
    /// # Errors
    /// [`MigrationFailed`](crate::ErrorKind::MigrationFailed) with the place of the statement in its file.
    async fn apply(
        &mut self,
        held: &LockProof,
        step: &Step,
        observer: &dyn Observer,
    ) -> Result<StepResult>;

    /// A handle that cancels the statement in hand from outside, while a call borrows the session.
    fn canceller(&self) -> Arc<dyn Canceller>;

    /// Ends the session.
    async fn close(self: Box<Self>) -> Result<()>;
}

/// Cancels the statement that a session is running.
#[async_trait]
pub trait Canceller: Send + Sync + fmt::Debug {
    /// Asks the server to cancel. The call that runs the statement then fails, or had just finished.
    async fn cancel(&self) -> Result<()>;
}
