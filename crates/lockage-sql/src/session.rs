use std::sync::Arc;

use async_trait::async_trait;
use lockage_core::{
    Action, Applied, Canceller, Capabilities, ConnectOptions, Held, History, LockHolder, LockKey, LockProvider, Migrator,
    Observer, Result, Step,
};

use crate::connection::{Cause, Connection, Failure, Piece, Refusal};
use crate::history::{self, HistoryTable};
use crate::identity::applied_by;
use crate::journal::JournalTable;

/// A session of an SQL engine: a [`Connection`] with history, transactions and journal around it.
#[derive(Debug)]
pub struct SqlSession<C> {
    pub(crate) connection: C,
    pub(crate) options: ConnectOptions,
    pub(crate) history: HistoryTable,
    pub(crate) journal: JournalTable,
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
        Self {
            history: HistoryTable::new(dialect, schema, by, options.run_id.clone()),
            journal: JournalTable::new(dialect, schema),
            connection,
            options,
            capabilities,
            history_exists: false,
            at_home: false,
        }
    }

    /// Writes the schema into the tables' names, so that a script that changes the meaning of unqualified names changes
    /// nothing here.
    async fn settle_at_home(&mut self) -> Result<()> {
        let schema = match &self.options.schema {
            Some(schema) => {
                self.connection.ensure_schema(schema).await?;
                Some(schema.clone())
            }
            None => self.connection.home_schema().await?,
        };
        let dialect = self.connection.dialect();
        let by = applied_by(self.connection.user());
        self.history = HistoryTable::new(dialect, schema.as_deref(), by, self.options.run_id.clone());
        self.journal = JournalTable::new(dialect, schema.as_deref());
        self.at_home = true;
        Ok(())
    }

    /// The conditions without which nothing is written: the lock, where it can be checked in the same round trip, and what the
    /// history must say.
    pub(crate) async fn requirements(&mut self, held: &Held, step: &Step) -> Result<Vec<Piece<'static>>> {
        let mut pieces = self.require_lock(held).await?;
        let migration = &step.migration;
        let (condition, message) = match step.action {
            Action::Run | Action::Record => {
                (self.history.not_applied(migration), format!("{migration} is already applied; it was not run again"))
            }
            Action::Undo => {
                (self.history.is_applied(migration), format!("{migration} is no longer applied; it was not undone again"))
            }
            _ => return Ok(pieces),
        };
        pieces.push(Piece::Require(condition, Refusal::new(lockage_core::ErrorKind::Diverged, message)));
        Ok(pieces)
    }

    pub(crate) async fn require_lock(&mut self, held: &Held) -> Result<Vec<Piece<'static>>> {
        let refusal = Refusal::lock_lost(held.key());
        match self.connection.lock_condition(held.key()) {
            Some(condition) => Ok(vec![Piece::Require(condition, refusal)]),
            None if self.connection.holds(held.key()).await? => Ok(Vec::new()),
            None => Err(refusal.into()),
        }
    }

    /// Runs statements of ours in one transaction.
    pub(crate) async fn write(&mut self, requirements: Vec<Piece<'static>>, statements: Vec<String>) -> Result<()> {
        let dialect = self.connection.dialect();
        let mut pieces = vec![Piece::own(dialect.begin)];
        pieces.extend(requirements);
        pieces.extend(statements.into_iter().map(Piece::own));
        pieces.push(Piece::own(dialect.commit));
        if let Err(failure) = self.connection.run(&pieces, &mut |_| {}).await {
            return Err(self.roll_back(failure).await.error);
        }
        Ok(())
    }

    /// Takes the open transaction back after a failure in it.
    pub(crate) async fn roll_back(&mut self, failure: Failure) -> Failure {
        let rollback = self.connection.dialect().rollback;
        if failure.error.kind() != lockage_core::ErrorKind::SessionLost {
            // The failure is what is to be told. Were the rollback to fail too, the next statement would say so.
            let _ = self.connection.run(&[Piece::own(rollback)], &mut |_| {}).await;
        }
        failure
    }
}

#[async_trait]
impl<C: Connection> LockProvider for SqlSession<C> {
    async fn try_lock(&mut self, key: &LockKey) -> Result<bool> {
        self.connection.try_lock(key).await
    }

    async fn holds(&mut self, key: &LockKey) -> Result<bool> {
        self.connection.holds(key).await
    }

    async fn unlock(&mut self, key: &LockKey) -> Result<()> {
        self.connection.unlock(key).await
    }

    async fn holder(&mut self, key: &LockKey) -> Result<Option<LockHolder>> {
        self.connection.holder(key).await
    }
}

#[async_trait]
impl<C: Connection> Migrator for SqlSession<C> {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    async fn history(&mut self) -> Result<History> {
        let rows = match self.connection.query(&self.history.select()).await {
            Ok(rows) => Some(rows),
            Err(failure) if failure.cause == Cause::NoTable => None,
            Err(failure) => return Err(failure.into()),
        };
        self.history_exists = rows.is_some();
        let rows = rows.unwrap_or_default().into_iter().map(history::parse).collect::<Result<_>>()?;
        Ok(History { rows })
    }

    async fn ensure_history(&mut self, held: &Held) -> Result<()> {
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

    async fn apply(&mut self, held: &Held, step: &Step, observer: &dyn Observer) -> Result<Applied> {
        let transactional = self.connection.dialect().transactional_ddl && step.migration.directives().transaction;
        match step.action {
            Action::Run | Action::Undo if transactional => self.apply_in_transaction(held, step, observer).await,
            Action::Run | Action::Undo => self.apply_by_statement(held, step, observer).await,
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
