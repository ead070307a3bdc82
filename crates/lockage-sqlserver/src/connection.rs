//! One session on a server: its state, and the trait `Connection`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lockage_core::{Canceller, ConnectOptions, Error, ErrorKind, LockKey, Result, Status};
use lockage_sql::{Command, CommandError, Connection, Dialect, Notice, Row};
use tiberius::error::Error as DriverError;

use crate::cancel::CancelSignal;
use crate::connect::Connector;
use crate::dialect::{DIALECT, bracketed, literal};
use crate::driver::{DriverConnection, QueryError, ResultSets, first_value};
use crate::error;
use crate::lock::AppLock;
use crate::server_info::{self, SERVER_INFO_QUERY, ServerInfo};
use crate::server_session::ServerSession;
use crate::session_effects::SessionEffects;
use crate::session_settings::{INTERNAL_SETTINGS, RESET_EXECUTION, SESSION_DEFAULTS};

/// Restores the login of the session. The loop covers 32 nested impersonations; with more, the next statement fails.
const REVERT_IMPERSONATION: &str = "DECLARE @lockage INT = 0; WHILE @lockage < 32 AND ORIGINAL_LOGIN() <> SUSER_SNAME() \
                        BEGIN REVERT; SET @lockage = @lockage + 1 END";

/// One session on a server.
#[derive(Debug)]
pub(crate) struct SqlServerConnection {
    driver: Option<DriverConnection>,
    pub(crate) connector: Connector,
    /// `None` before the first batch.
    pub(crate) server_info: Option<ServerInfo>,
    pub(crate) history_table: String,
    pub(crate) cancel: CancelSignal,
    pub(crate) notices: Vec<Notice>,
    /// Changes that scripts made to the session and that have not been undone.
    pub(crate) session_effects: SessionEffects,
    /// The database that the running script changed to, while internal statements run in the initial database.
    pub(crate) script_database: Option<String>,
    /// The server's id of the internal transaction that is open.
    pub(crate) open_transaction: Option<String>,
    /// The number of open transactions according to the last reply; `None` after an error.
    pub(crate) transaction_count: Option<u32>,
    /// `false` if the engine is known to have no application locks.
    pub(crate) has_app_locks: bool,
    /// The identity of this session for the lock in a table, if the server lists its sessions.
    pub(crate) server_session: Option<ServerSession>,
    /// The time limit of each statement of the current migration.
    pub(crate) statement_timeout: Option<Duration>,
}

impl SqlServerConnection {
    pub(crate) async fn open(options: &ConnectOptions) -> Result<Self> {
        let connector = Connector::new(options)?;
        let driver = connector.open_or_create(options.create).await?;
        let history_table = options.history_table.as_deref();
        let history_table = history_table.unwrap_or(lockage_sql::HISTORY_TABLE);
        Ok(Self::new(connector, driver, history_table.to_owned()))
    }

    /// Opens another session on the same database.
    pub(crate) async fn reopen(&self) -> Result<Self> {
        let driver = self.connector.open().await?;
        let mut sibling = Self::new(self.connector.clone(), driver, self.history_table.clone());
        sibling.server_info().await?;
        Ok(sibling)
    }

    fn new(connector: Connector, driver: DriverConnection, history_table: String) -> Self {
        Self {
            driver: Some(driver),
            has_app_locks: !connector.config().is_synapse(),
            connector,
            server_info: None,
            history_table,
            cancel: CancelSignal::new(),
            notices: Vec::new(),
            session_effects: SessionEffects::default(),
            script_database: None,
            open_transaction: None,
            transaction_count: None,
            server_session: None,
            statement_timeout: None,
        }
    }

    pub(crate) fn driver(&mut self) -> Result<&mut DriverConnection> {
        self.driver.as_mut().ok_or_else(|| {
            Error::new(ErrorKind::SessionLost, "the session has ended")
                .with_status(Status::Temporary)
        })
    }

    pub(crate) fn app_lock(&self, key: &LockKey) -> AppLock {
        AppLock::new(key, &self.connector.config().lock_principal)
    }

    /// Runs an internal batch. The first batch of a session also applies the session defaults and reads the server's
    /// properties.
    pub(crate) async fn query_sets(&mut self, sql: &str) -> Result<ResultSets, QueryError> {
        if self.server_info.is_some() {
            return self.driver().map_err(query_error)?.query(sql).await;
        }
        let first = format!("{SESSION_DEFAULTS}\n{SERVER_INFO_QUERY};\n{sql}");
        let (mut sets, failure) = match self.driver().map_err(query_error)?.query(&first).await {
            Ok(sets) => (sets, None),
            Err(failure) => (failure.sets, Some(failure.error)),
        };
        // An error of `sql` comes after the result set with the properties.
        if !sets.is_empty() {
            let rows = sets.remove(0);
            match ServerInfo::from_row(rows.first()) {
                Ok(server_info) => self.server_info = Some(server_info),
                Err(error) if failure.is_none() => return Err(query_error(error)),
                Err(_) => {}
            }
        }
        match failure {
            None => Ok(sets),
            Some(error) => Err(QueryError { sets, error }),
        }
    }

    /// Runs an internal batch and returns its first value.
    async fn query_value(&mut self, sql: &str) -> Result<Option<String>> {
        let sets = self.query_sets(sql).await;
        sets.map(first_value).map_err(QueryError::into_error)
    }

    pub(crate) async fn server_info(&mut self) -> Result<ServerInfo> {
        if self.server_info.is_none() {
            self.query_sets("").await.map_err(QueryError::into_error)?;
        }
        self.server_info
            .clone()
            .ok_or_else(server_info::unreadable_error)
    }

    /// Undoes the changes that scripts made to the session, so that an internal statement can run.
    ///
    /// The order matters: while execution is disabled, no other statement takes effect. `USE` comes last, because it needs the
    /// permissions of the session's own login.
    pub(crate) async fn restore_session(&mut self) -> Result<()> {
        let effects = std::mem::take(&mut self.session_effects);
        let initial_database = self.server_info().await?.initial_database;
        if effects.disables_execution {
            self.query_value(RESET_EXECUTION).await?;
        }
        if effects.sets_options {
            self.query_value(INTERNAL_SETTINGS).await?;
        }
        if effects.impersonates {
            self.query_value(REVERT_IMPERSONATION).await?;
        }
        if effects.changes_database {
            let sql = format!("SELECT DB_NAME(); USE {}", bracketed(&initial_database));
            let database = self.query_value(&sql).await?;
            self.script_database = database.filter(|database| *database != initial_database);
        }
        Ok(())
    }
}

/// Wraps an error of this crate in one of the driver.
fn query_error(error: Error) -> QueryError {
    QueryError {
        sets: ResultSets::new(),
        error: DriverError::Io {
            kind: std::io::ErrorKind::NotConnected,
            message: error.to_string(),
        },
    }
}

impl Drop for SqlServerConnection {
    fn drop(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.abort();
        }
    }
}

#[async_trait]
impl Connection for SqlServerConnection {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    fn user(&self) -> Option<&str> {
        Some(&self.connector.config().user)
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<Row>, CommandError> {
        if self.session_effects != SessionEffects::default() {
            self.restore_session()
                .await
                .map_err(|error| CommandError::new(0, error))?;
        }
        match self.query_sets(sql).await {
            Ok(sets) => Ok(sets.into_iter().next().unwrap_or_default()),
            Err(failure) => Err(error::command_error(0, None, failure.error)),
        }
    }

    async fn execute(
        &mut self,
        commands: &[Command<'_>],
        on_done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), CommandError> {
        self.execute_commands(commands, on_done).await
    }

    fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    async fn history_schema(&mut self) -> Result<Option<String>> {
        self.restore_session().await?;
        let table = literal(&bracketed(&self.history_table));
        let sql = format!("SELECT COALESCE(OBJECT_SCHEMA_NAME(OBJECT_ID({table})), SCHEMA_NAME())");
        self.query_value(&sql).await
    }

    async fn ensure_schema(&mut self, schema: &str) -> Result<()> {
        self.restore_session().await?;
        let create = literal(&format!("CREATE SCHEMA {}", bracketed(schema)));
        let sql = format!("IF SCHEMA_ID({}) IS NULL EXEC ({create})", literal(schema));
        self.query_value(&sql).await.map(drop)
    }

    fn lock_condition(&self, key: &LockKey) -> Option<String> {
        Some(self.app_lock(key).is_held_sql())
    }

    fn canceller(&self) -> Arc<dyn Canceller> {
        Arc::new(self.cancel.clone())
    }

    async fn close(mut self) -> Result<()> {
        match self.driver.take() {
            Some(driver) => driver.close().await.map_err(error::into_error),
            None => Ok(()),
        }
    }
}
