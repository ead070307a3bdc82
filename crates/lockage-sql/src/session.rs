use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use lockage_core::{
    Action, StepResult, Canceller, Capabilities, ConnectOptions, Event, LockProof, History, LockStrategy,
    Migrator, Observer, Result, Step,
};

use crate::Dialect;
use crate::again;
use crate::connection::{FailureCause, Connection, CommandError, Notice, Command, AssertionError};
use crate::history::{self, HistoryTable};
use crate::identity::applied_by;
use crate::journal::{self, JournalTable};
use crate::table_lock::TableLock;

/// A session of an SQL engine: a [`Connection`] with history, transactions and journal around it.
#[derive(Debug)]
pub struct SqlSession<C> {
    pub(crate) connection: C,
    pub(crate) options: ConnectOptions,
    pub(crate) history: HistoryTable,
    pub(crate) journal: JournalTable,
    /// In place of the engine's own lock.
    pub(crate) table_lock: Option<TableLock>,
    capabilities: Capabilities,
    /// Whether the last look saw the history's table.
    history_exists: bool,
    /// Whether the tables' names have the schema in which they stand.
    at_home: bool,
}

impl<C: Connection> SqlSession<C> {
    /// A session on an open connection.
    pub fn new(connection: C, options: ConnectOptions, capabilities: Capabilities) -> Self {
        let dialect = connection.dialect();
        let by = applied_by(connection.user());
        let schema = options.schema.as_deref();
        let strategy = match options.lock_strategy {
            LockStrategy::Auto => connection.default_lock_strategy(),
            strategy => strategy,
        };
        let (history, journal) = tables(dialect, schema, by, &options);
        let mut session = Self {
            history,
            journal,
            table_lock: None,
            connection,
            options,
            capabilities,
            history_exists: false,
            at_home: false,
        };
        if strategy == LockStrategy::Table {
            session.lock_in_table();
        }
        session
    }

    /// Locks by a row in a table from now on.
    pub(crate) fn lock_in_table(&mut self) {
        let by = applied_by(self.connection.user());
        self.table_lock = Some(TableLock::new(by));
        self.capabilities = self
            .capabilities
            .with_lock("a row in the table lockage_lock, with a lease");
    }

    /// Writes the schema into the tables' names, so that a script that changes the meaning of unqualified names changes
    /// nothing here.
    async fn settle_at_home(&mut self) -> Result<()> {
        let schema = match &self.options.schema {
            Some(schema) => {
                self.connection.ensure_schema(schema).await?;
                Some(schema.clone())
            }
            None => self.connection.history_schema().await?,
        };
        let dialect = self.connection.dialect();
        let by = applied_by(self.connection.user());
        (self.history, self.journal) = tables(dialect, schema.as_deref(), by, &self.options);
        self.at_home = true;
        Ok(())
    }

    /// The conditions without which nothing is written: the lock, where it can be checked in the same round trip, and what the
    /// history must say.
    pub(crate) async fn requirements(
        &mut self,
        held: &LockProof,
        step: &Step,
    ) -> Result<Vec<Command<'static>>> {
        let mut pieces = self.require_lock(held).await?;
        let migration = &step.migration;
        let (condition, message) = match step.action {
            Action::Apply | Action::MarkApplied => (
                self.history.not_applied(migration),
                format!("{migration} is already applied; it was not run again"),
            ),
            Action::Undo => (
                self.history.is_applied(migration),
                format!("{migration} is no longer applied; it was not undone again"),
            ),
            _ => return Ok(pieces),
        };
        pieces.push(Command::Assert(
            condition,
            AssertionError::new(lockage_core::ErrorKind::Diverged, message),
        ));
        Ok(pieces)
    }

    pub(crate) async fn require_lock(&mut self, held: &LockProof) -> Result<Vec<Command<'static>>> {
        let mut pieces = self.require_own_lock(held).await?;
        for lock in held.neighbours() {
            let refusal = AssertionError::lock_lost(lock);
            match self.connection.lock_condition(lock) {
                Some(condition) => pieces.push(Command::Assert(condition, refusal)),
                None if self.connection.holds(lock).await? => {}
                None => return Err(refusal.into()),
            }
        }
        Ok(pieces)
    }

    async fn require_own_lock(&mut self, held: &LockProof) -> Result<Vec<Command<'static>>> {
        let refusal = AssertionError::lock_lost(held.key());
        if let Some(table_lock) = &self.table_lock {
            return match table_lock.condition(held.key()) {
                Some(condition) => Ok(vec![Command::Assert(condition, refusal)]),
                None => Err(refusal.into()),
            };
        }
        match self.connection.lock_condition(held.key()) {
            Some(condition) => Ok(vec![Command::Assert(condition, refusal)]),
            None if self.connection.holds(held.key()).await? => Ok(Vec::new()),
            None => Err(refusal.into()),
        }
    }

    /// What is required before a statement that may run with rights which its script took. They may not reach a lock in a table: that is
    /// looked at behind the statement, where it can be taken back.
    pub(crate) async fn require_lock_first(&mut self, held: &LockProof) -> Result<Vec<Command<'static>>> {
        if self.table_lock.is_some() && self.connection.dialect().transactional_ddl {
            return Ok(Vec::new());
        }
        self.require_lock(held).await
    }

    /// What stands at the end of a transaction that only the holder of a lock in a table may commit.
    pub(crate) fn fence(&self) -> Vec<Command<'static>> {
        self.table_lock
            .as_ref()
            .map_or_else(Vec::new, TableLock::fence)
    }

    /// Where the table of the locks stands: beside the history.
    pub(crate) async fn lock_schema(&mut self) -> Result<Option<String>> {
        match &self.options.schema {
            Some(schema) => Ok(Some(schema.clone())),
            None => self.connection.history_schema().await,
        }
    }

    /// Runs statements of ours in one transaction.
    pub(crate) async fn write(
        &mut self,
        requirements: Vec<Command<'static>>,
        statements: Vec<String>,
    ) -> Result<()> {
        let dialect = self.connection.dialect();
        let mut pieces = vec![Command::own(dialect.begin)];
        // First: what a script has taken in rights may not reach our tables.
        pieces.extend(self.connection.before_bookkeeping().into_iter().map(Command::own));
        pieces.extend(requirements);
        pieces.extend(statements.into_iter().map(Command::own));
        pieces.extend(self.fence());
        pieces.push(Command::own(dialect.commit));
        Ok(again::run(&mut self.connection, &pieces).await?)
    }

    /// Passes on what the server said.
    pub(crate) fn tell_notices(&mut self, observer: &dyn Observer) {
        for Notice { severity, message } in self.connection.take_notices() {
            observer.on_event(&Event::Notice {
                severity: &severity,
                message: &message,
            });
        }
    }

    /// Takes the open transaction back after a failure in it.
    pub(crate) async fn roll_back(&mut self, failure: CommandError) -> CommandError {
        again::roll_back(&mut self.connection, &failure).await;
        failure
    }
}

/// The tables of a schema, by the names that the options give them.
fn tables(
    dialect: &'static Dialect,
    schema: Option<&str>,
    applied_by: String,
    options: &ConnectOptions,
) -> (HistoryTable, JournalTable) {
    let run_id = options.run_id.clone();
    let (history, journal) = match &options.history_table {
        Some(name) => (name.as_str(), Cow::Owned(format!("{name}_journal"))),
        None => (history::TABLE, Cow::Borrowed(journal::TABLE)),
    };
    (
        HistoryTable::new(dialect, schema, history, applied_by, run_id),
        JournalTable::new(dialect, schema, &journal),
    )
}

#[async_trait]
impl<C: Connection> Migrator for SqlSession<C> {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    async fn history(&mut self) -> Result<History> {
        let rows = match again::query(&mut self.connection, &self.history.select()).await {
            Ok(rows) => Some(rows),
            Err(failure) if failure.cause == FailureCause::MissingTable => {
                let schema = self.options.schema.as_deref();
                self.connection.check_history_absent(schema).await?;
                None
            }
            Err(failure) => return Err(failure.into()),
        };
        self.history_exists = rows.is_some();
        let rows = rows
            .unwrap_or_default()
            .into_iter()
            .map(history::parse)
            .collect::<Result<_>>()?;
        Ok(History { rows })
    }

    async fn ensure_history(&mut self, held: &LockProof) -> Result<()> {
        if !self.at_home {
            self.settle_at_home().await?;
            self.history().await?;
        }
        if !self.history_exists {
            let lock = self.require_lock(held).await?;
            self.write(lock, vec![self.history.create()]).await?;
            self.history_exists = true;
        }
        Ok(())
    }

    async fn apply(
        &mut self,
        held: &LockProof,
        step: &Step,
        observer: &dyn Observer,
    ) -> Result<StepResult> {
        let transactional =
            self.connection.dialect().transactional_ddl && step.migration.directives().transaction;
        match step.action {
            Action::Apply | Action::Undo if transactional => {
                self.apply_in_transaction(held, step, observer).await
            }
            Action::Apply | Action::Undo => self.apply_by_statement(held, step, observer).await,
            _ => self.apply_to_history(held, step).await,
        }
    }

    fn canceller(&self) -> Arc<dyn Canceller> {
        self.connection.canceller()
    }

    async fn close(self: Box<Self>) -> Result<()> {
        self.connection.close().await
    }
}
