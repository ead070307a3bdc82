//! The type [`SqlSession`]: a connection with history, transactions and journal.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use lockage_core::{
    Action, Canceller, Capabilities, ConnectOptions, ErrorKind, Event, History, LockProof,
    LockStrategy, Migration, Migrator, Observer, Result, Step, StepResult,
};

use crate::client_identity::applied_by;
use crate::command::{AssertionError, Command, CommandError, FailureCause, Notice};
use crate::dialect::Dialect;
use crate::internal_commands;
use crate::lease_support::LeaseSupport;
use crate::recovery::Recovery;
use crate::script_hooks::{MigrationContext, ScriptHooks};
use crate::table_lock::TableLock;
use crate::tables::history::{self, HistoryTable};
use crate::tables::journal::{self, JournalTable};

/// All that a backend implements for one connection type. Implemented for every type that has the four traits.
pub trait SqlConnection: ScriptHooks + Recovery + LeaseSupport {}

impl<C: ScriptHooks + Recovery + LeaseSupport> SqlConnection for C {}

/// A session of an SQL engine.
#[derive(Debug)]
pub struct SqlSession<C> {
    pub(crate) connection: C,
    pub(crate) options: ConnectOptions,
    pub(crate) history: HistoryTable,
    pub(crate) journal: JournalTable,
    /// The lock in a table, if the session uses it in place of the engine's own lock.
    pub(crate) table_lock: Option<TableLock>,
    capabilities: Capabilities,
    /// Whether the last query found the history table.
    history_exists: bool,
    /// Whether the tables' names are qualified with their schema.
    tables_qualified: bool,
    /// Whether a script has run in this session.
    script_ran: bool,
}

impl<C: SqlConnection> SqlSession<C> {
    /// Creates a session on an open connection.
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
            tables_qualified: false,
            script_ran: false,
        };
        if strategy == LockStrategy::Table {
            session.use_table_lock();
        }
        session
    }

    /// Uses the lock in a table from now on.
    pub(crate) fn use_table_lock(&mut self) {
        let by = applied_by(self.connection.user());
        self.table_lock = Some(TableLock::new(by));
        self.capabilities = self
            .capabilities
            .with_lock("a row in the table lockage_lock, with a lease");
    }

    /// Qualifies the tables' names with their schema, so that a script that changes how unqualified names resolve does not
    /// affect them.
    async fn qualify_tables(&mut self) -> Result<()> {
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
        self.tables_qualified = true;
        Ok(())
    }

    /// Returns the conditions of a step: the session holds the locks, and the history has the state that the plan assumed.
    pub(crate) async fn assertions(
        &mut self,
        proof: &LockProof,
        step: &Step,
    ) -> Result<Vec<Command<'static>>> {
        let mut assertions = self.lock_assertions(proof).await?;
        let migration = &step.migration;
        let (condition, message) = match step.action {
            Action::Apply | Action::MarkApplied => (
                self.history.not_applied_sql(migration),
                format!("{migration} is already applied; it was not applied again"),
            ),
            Action::Undo => (
                self.history.applied_sql(migration),
                format!("{migration} is no longer applied; it was not undone again"),
            ),
            _ => return Ok(assertions),
        };
        assertions.push(Command::Assert(
            condition,
            AssertionError::new(ErrorKind::Diverged, message),
        ));
        Ok(assertions)
    }

    /// Returns the conditions that the session holds the migration lock and the foreign locks. A lock that the engine cannot
    /// check in SQL is queried here.
    pub(crate) async fn lock_assertions(
        &mut self,
        proof: &LockProof,
    ) -> Result<Vec<Command<'static>>> {
        let mut assertions = self.own_lock_assertion(proof).await?;
        for key in proof.foreign_keys() {
            let lost = AssertionError::lock_lost(key);
            match self.connection.lock_condition(key) {
                Some(condition) => assertions.push(Command::Assert(condition, lost)),
                None if self.connection.holds(key).await? => {}
                None => return Err(lost.into()),
            }
        }
        Ok(assertions)
    }

    async fn own_lock_assertion(&mut self, proof: &LockProof) -> Result<Vec<Command<'static>>> {
        let key = proof.key();
        let lost = AssertionError::lock_lost(key);
        if let Some(table_lock) = &self.table_lock {
            return match table_lock.held_sql(key) {
                Some(condition) => Ok(vec![Command::Assert(condition, lost)]),
                None => Err(lost.into()),
            };
        }
        match self.connection.lock_condition(key) {
            Some(condition) => Ok(vec![Command::Assert(condition, lost)]),
            None if self.connection.holds(key).await? => Ok(Vec::new()),
            None => Err(lost.into()),
        }
    }

    /// Returns the conditions before a statement that may run with a role that its script assumed.
    ///
    /// Such a role may have no access to a lock in a table. With transactional DDL, that lock is checked after the statement,
    /// where the statement can be rolled back.
    pub(crate) async fn lock_assertions_early(
        &mut self,
        proof: &LockProof,
    ) -> Result<Vec<Command<'static>>> {
        if self.table_lock.is_some() && self.connection.dialect().transactional_ddl {
            return Ok(Vec::new());
        }
        self.lock_assertions(proof).await
    }

    /// Returns the last commands of a transaction that only the holder of the lock in a table may commit.
    pub(crate) fn fencing_check(&self) -> Vec<Command<'static>> {
        self.table_lock
            .as_ref()
            .map_or_else(Vec::new, TableLock::fencing_check)
    }

    /// Returns the schema of the lock table, which is the schema of the history.
    pub(crate) async fn lock_schema(&mut self) -> Result<Option<String>> {
        match &self.options.schema {
            Some(schema) => Ok(Some(schema.clone())),
            None => self.connection.history_schema().await,
        }
    }

    /// Runs internal statements in one transaction.
    pub(crate) async fn write_in_transaction(
        &mut self,
        assertions: Vec<Command<'static>>,
        statements: Vec<String>,
    ) -> Result<()> {
        let dialect = self.connection.dialect();
        let mut commands = vec![Command::internal(dialect.begin)];
        // First, because a role that a script assumed may have no access to the tables.
        commands.extend(internal(self.connection.before_bookkeeping()));
        commands.extend(assertions);
        commands.extend(internal(statements));
        commands.extend(self.fencing_check());
        commands.push(Command::internal(dialect.commit));
        Ok(internal_commands::execute(&mut self.connection, &commands).await?)
    }

    /// Restores the session after an earlier script, and returns the commands that run before a script.
    pub(crate) async fn begin_migration(
        &mut self,
        migration: &Migration,
    ) -> Result<Vec<Command<'static>>> {
        let context = MigrationContext::new(migration, &self.options);
        if std::mem::replace(&mut self.script_ran, true) {
            self.connection.reset_session(&context).await?;
        }
        Ok(internal(self.connection.begin_migration(&context)).collect())
    }

    /// Passes the server's notices to the observer.
    pub(crate) fn report_notices(&mut self, observer: &dyn Observer) {
        for Notice { severity, message } in self.connection.take_notices() {
            observer.on_event(&Event::Notice {
                severity: &severity,
                message: &message,
            });
        }
    }

    /// Rolls the open transaction back after a failure in it, and returns the failure.
    pub(crate) async fn roll_back(&mut self, failure: CommandError) -> CommandError {
        internal_commands::roll_back(&mut self.connection, &failure).await;
        failure
    }
}

/// Converts SQL texts to internal commands.
pub(crate) fn internal<'a>(
    statements: impl IntoIterator<Item = String>,
) -> impl Iterator<Item = Command<'a>> {
    statements.into_iter().map(Command::internal)
}

/// Returns the tables of a schema, with the names from the options.
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
impl<C: SqlConnection> Migrator for SqlSession<C> {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    async fn history(&mut self) -> Result<History> {
        let rows = match internal_commands::query(&mut self.connection, &self.history.select_sql())
            .await
        {
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
        Ok(History::new(rows))
    }

    async fn ensure_history(&mut self, proof: &LockProof) -> Result<()> {
        if !self.tables_qualified {
            self.qualify_tables().await?;
            self.history().await?;
        }
        if !self.history_exists {
            let assertions = self.lock_assertions(proof).await?;
            self.write_in_transaction(assertions, vec![self.history.create_sql()])
                .await?;
            self.history_exists = true;
        }
        Ok(())
    }

    async fn apply(
        &mut self,
        proof: &LockProof,
        step: &Step,
        observer: &dyn Observer,
    ) -> Result<StepResult> {
        let transactional =
            self.connection.dialect().transactional_ddl && step.migration.directives().transaction;
        match step.action {
            Action::Apply | Action::Undo if transactional => {
                self.apply_transactional(proof, step, observer).await
            }
            Action::Apply | Action::Undo => self.apply_autocommit(proof, step, observer).await,
            _ => self.apply_to_history(proof, step).await,
        }
    }

    fn canceller(&self) -> Arc<dyn Canceller> {
        self.connection.canceller()
    }

    async fn close(self: Box<Self>) -> Result<()> {
        self.connection.close().await
    }
}
