//! The connection that the SQL layer drives: it passes each call to the worker thread.

use std::sync::Arc;

use async_trait::async_trait;
use lockage_core::{
    Canceller, ForeignLock, FoundTable, LockHolder, LockKey, LockProvider, Migration, Result,
};
use lockage_sql::foreign_lock_ids::group_tables;
use lockage_sql::{
    Command, CommandError, Connection, Dialect, FailureCause, LeaseSupport, MigrationContext,
    Notice, Row, ScriptHooks, StatementMode, lock_not_held_error,
};
use tokio::sync::mpsc;

use crate::cancel::SqliteCanceller;
use crate::config::ConnectConfig;
use crate::dialect::{DIALECT, SCHEMA};
use crate::execute::{self, OwnedCommand, TimeLimits};
use crate::foreign_keys::{CHECK_VIOLATIONS, ForeignKeyCheck, RECORD_VIOLATIONS};
use crate::foreign_lock;
use crate::lock::cannot_terminate_error;
use crate::statement_mode::statement_mode;
use crate::worker::{Worker, WorkerState};

/// An SQLite connection on its own thread.
#[derive(Debug)]
pub(crate) struct SqliteConnection {
    worker: Worker,
    limits: TimeLimits,
    /// Whether the current migration runs with foreign keys.
    foreign_keys: bool,
    /// Messages for the observer of the run.
    notices: Vec<Notice>,
    /// Says that a database in memory will be lost. Taken by the first migration.
    memory_notice: Option<Notice>,
}

impl SqliteConnection {
    /// Starts the thread. The database is opened when it is first used.
    pub(crate) fn start(config: ConnectConfig) -> Result<Self> {
        let memory_notice = memory_notice(&config);
        Ok(Self {
            worker: Worker::start(config)?,
            limits: TimeLimits::default(),
            foreign_keys: true,
            notices: Vec::new(),
            memory_notice,
        })
    }
}

/// Returns the warning that a migrated database in memory ends with its last connection.
fn memory_notice(config: &ConnectConfig) -> Option<Notice> {
    let message = match config {
        ConnectConfig::File { .. } => return None,
        ConnectConfig::Memory => {
            "the database is in memory and is lost when this run ends; use the URL of a file to keep it".to_owned()
        }
        ConnectConfig::SharedMemory(name) => format!(
            "the database `{name}` is in memory and is lost when the last connection of this process to it is closed"
        ),
    };
    Some(Notice::new("WARNING", message))
}

#[async_trait]
impl LockProvider for SqliteConnection {
    async fn try_lock(&mut self, key: &LockKey) -> Result<bool> {
        let key = key.clone();
        self.worker
            .call(move |state| state.locks.try_lock(&key))
            .await?
    }

    async fn holds(&mut self, key: &LockKey) -> Result<bool> {
        let key = key.clone();
        self.worker.call(move |state| state.locks.holds(&key)).await
    }

    async fn unlock(&mut self, key: &LockKey) -> Result<()> {
        let released = key.clone();
        let was_held = self
            .worker
            .call(move |state| state.locks.unlock(&released))
            .await?;
        if was_held {
            Ok(())
        } else {
            Err(lock_not_held_error(key))
        }
    }

    async fn holder(&mut self, key: &LockKey) -> Result<Option<LockHolder>> {
        let key = key.clone();
        self.worker
            .call(move |state| state.locks.holder(&key))
            .await?
    }

    async fn foreign_lock_keys(&mut self, lock: &ForeignLock) -> Result<Vec<LockKey>> {
        Err(foreign_lock::unsupported(lock))
    }

    async fn find_tables(&mut self, names: &[String]) -> Result<Vec<FoundTable>> {
        match self.query(&foreign_lock::find_tables_sql(names)).await {
            Ok(rows) => Ok(group_tables(rows)),
            // The database does not exist yet.
            Err(failure) if failure.cause == FailureCause::MissingTable => Ok(Vec::new()),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn terminate_holder(&mut self, _key: &LockKey, holder: &LockHolder) -> Result<()> {
        Err(cannot_terminate_error(holder))
    }
}

#[async_trait]
impl Connection for SqliteConnection {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<Row>, CommandError> {
        let sql = sql.to_owned();
        self.worker
            .call(move |state| execute::query(state, &sql))
            .await
            .map_err(|error| CommandError::new(0, error))?
    }

    async fn execute(
        &mut self,
        commands: &[Command<'_>],
        on_done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), CommandError> {
        let commands = OwnedCommand::from_commands(commands)?;
        let limits = self.limits;
        let (done, mut finished) = mpsc::unbounded_channel();
        let work = self
            .worker
            .call(move |state| execute::execute(state, &commands, limits, &done));
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                Some(index) = finished.recv() => on_done(index),
                result = &mut work => {
                    // The last commands can finish between the two polls.
                    while let Ok(index) = finished.try_recv() {
                        on_done(index);
                    }
                    return result.map_err(|error| CommandError::new(0, error))?;
                }
            }
        }
    }

    fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    async fn ensure_schema(&mut self, schema: &str) -> Result<()> {
        debug_assert_eq!(schema, SCHEMA);
        Ok(())
    }

    fn canceller(&self) -> Arc<dyn Canceller> {
        Arc::new(SqliteCanceller(Arc::clone(self.worker.interrupt())))
    }

    async fn close(self) -> Result<()> {
        // Waits for the thread, so that the file is closed and the lock is free when this returns.
        self.worker.call(WorkerState::close).await
    }
}

#[async_trait]
impl ScriptHooks for SqliteConnection {
    fn allows_transaction(&self, statement: &str) -> bool {
        statement_mode(statement) == StatementMode::WithJournal
    }

    fn begin_migration(&mut self, migration: &MigrationContext<'_>) -> Vec<String> {
        self.limits = TimeLimits {
            statement: migration.statement_timeout,
            busy: migration.ddl_lock_timeout,
        };
        let name = migration.migration.to_string();
        let foreign_keys = ForeignKeyCheck::new(migration.migration);
        self.worker.send(move |state| {
            state.locks.set_migration(&name);
            state.foreign_keys = foreign_keys;
        });
        self.notices.extend(self.memory_notice.take());
        self.foreign_keys = migration.migration.directives().foreign_keys;
        let foreign_keys = if self.foreign_keys { "ON" } else { "OFF" };
        vec![format!("PRAGMA foreign_keys = {foreign_keys}")]
    }

    async fn reset_session(&mut self, _migration: &MigrationContext<'_>) -> Result<()> {
        self.worker.call(WorkerState::renew_connection).await?
    }

    fn transaction_prologue(&self) -> Vec<String> {
        if self.foreign_keys {
            return Vec::new();
        }
        vec![RECORD_VIOLATIONS.into()]
    }

    fn before_commit(&self, migration: &Migration) -> Vec<Command<'static>> {
        if migration.directives().foreign_keys {
            return Vec::new();
        }
        vec![Command::internal(CHECK_VIOLATIONS)]
    }

    async fn statement_mode(&mut self, statement: &str) -> Result<StatementMode> {
        Ok(statement_mode(statement))
    }
}

impl LeaseSupport for SqliteConnection {}
