//! The connection that runs migrations and holds the lock.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use lockage_core::{Canceller, ConnectOptions, Error, ErrorKind, LockKey, Result};
use lockage_sql::{
    Command, CommandError, Connection, Dialect, HISTORY_TABLE, LeaseSession, Notice, Row,
    double_quoted,
};

use crate::backend_pid::backend_pid;
use crate::config::ConnectConfig;
use crate::dialect::{DIALECT, literal};
use crate::driver::DriverConnection;
use crate::error;
use crate::history_schema;
use crate::lock::key::held_by_us_sql;
use crate::pool_mode::{self, PoolMode, ProbeResult};
use crate::progress_markers::ProgressMarkers;
use crate::session_settings::{self, Settings};
use crate::statement_mode;
use crate::tls::Tls;

/// How often internal commands are tried when earlier cancel requests hit them.
const MAX_TRIES: u32 = 4;

/// A connection to one database. It is never taken from a pool of the client.
#[derive(Debug)]
pub(crate) struct PostgresConnection {
    pub(crate) driver: DriverConnection,
    pub(crate) config: ConnectConfig,
    pub(crate) tls: Tls,
    /// Whether a pooler is between this connection and the server.
    pub(crate) pool_mode: PoolMode,
    /// The settings that the session needs before it acquires the lock.
    pub(crate) settings: Settings,
    /// Whether they were applied.
    pub(crate) has_settings: bool,
    pub(crate) schema: Option<String>,
    history_table: String,
    /// The `lock_timeout` that Lockage set last, in milliseconds; 0 if none.
    pub(crate) lock_timeout: u32,
    /// The identity of this session for the lock in a table; `None` until the session uses that lock.
    pub(crate) lease_session: Option<LeaseSession>,
    /// The ids of the advisory locks that the runner acquired.
    pub(crate) held_locks: BTreeSet<i64>,
    /// Whether other runs may use the lock in a table.
    pub(crate) must_check_table_lock: bool,
    /// The search path that starts with the schema of the options, for a session that other clients share.
    pub(crate) search_path: Option<String>,
    /// The `application_name` of the current migration, until its first statements are sent.
    pub(crate) migration_name: Option<String>,
    /// Whether a statement of the current migration may have changed how the server reads text.
    pub(crate) parsing_changed: bool,
    /// Statements that apply settings in each transaction, for a session that other clients share.
    pub(crate) transaction_settings: Vec<String>,
}

impl PostgresConnection {
    pub(crate) fn new(
        driver: DriverConnection,
        config: ConnectConfig,
        tls: Tls,
        options: &ConnectOptions,
    ) -> Self {
        let settings = session_settings::session_settings(driver.server_info().version);
        let history_table = options.history_table.as_deref().unwrap_or(HISTORY_TABLE);
        Self {
            driver,
            config,
            tls,
            pool_mode: PoolMode::Unknown,
            settings,
            has_settings: false,
            schema: options.schema.clone(),
            history_table: history_table.to_owned(),
            lock_timeout: 0,
            lease_session: None,
            held_locks: BTreeSet::new(),
            must_check_table_lock: true,
            search_path: None,
            migration_name: None,
            parsing_changed: false,
            transaction_settings: Vec::new(),
        }
    }

    /// Returns the connection that renews the lease of this one.
    pub(crate) fn sibling(&self, driver: DriverConnection) -> Self {
        Self {
            driver,
            config: self.config.clone(),
            tls: self.tls.clone(),
            pool_mode: self.pool_mode,
            settings: self.settings.clone(),
            has_settings: true,
            schema: self.schema.clone(),
            history_table: self.history_table.clone(),
            lock_timeout: 0,
            lease_session: Some(LeaseSession::default()),
            held_locks: BTreeSet::new(),
            must_check_table_lock: true,
            search_path: None,
            migration_name: None,
            parsing_changed: false,
            transaction_settings: Vec::new(),
        }
    }

    /// Returns the role of the URL.
    pub(crate) fn role(&self) -> Option<&str> {
        self.config.role.as_deref()
    }

    /// Reads the process id of the connection. The first query whose process differs reveals a pooler.
    pub(crate) async fn detect_pool_mode(&mut self) -> Result<PoolMode> {
        self.pool_mode = match backend_pid(self.driver.canceller().token()).await {
            Some(pid) => PoolMode::Direct(pid),
            None => {
                return Err(Error::new(
                    ErrorKind::Unexpected,
                    "the driver does not report the server process of the connection",
                ));
            }
        };
        Ok(self.pool_mode)
    }

    /// Detects the mode of a pooler. A mode that cannot be detected counts as transaction mode.
    pub(crate) async fn probe_pooler(&mut self) -> Result<()> {
        let result = pool_mode::probe_pool_mode(&mut self.driver, &self.config, &self.tls).await?;
        self.pool_mode = match (result, self.role()) {
            (ProbeResult::Session, _) => PoolMode::Session,
            (ProbeResult::Statement, _) => return Err(pool_mode::statement_pooling_error()),
            (ProbeResult::Transaction | ProbeResult::Inconclusive, Some(role)) => {
                return Err(pool_mode::shared_role_error(role));
            }
            (ProbeResult::Transaction | ProbeResult::Inconclusive, None) => PoolMode::Transaction,
        };
        Ok(())
    }

    /// Runs internal commands only.
    ///
    /// A cancel request is meant for a statement of a script. If it hit the write of that statement's journal row, the outcome of
    /// the statement would be unknown.
    async fn run_internal(
        &mut self,
        commands: &[Command<'_>],
        on_done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), CommandError> {
        let _guard = self.driver.canceller().suspend_cancel();
        for _ in 1..MAX_TRIES {
            match self.driver.execute_internal(commands, on_done).await {
                // The request was sent before the guard existed.
                Err(failure) if error::is_cancelled(&failure.error) => {
                    let rollback = Command::Internal(DIALECT.rollback.into());
                    self.driver
                        .execute_internal(&[rollback], &mut |_| {})
                        .await?;
                }
                outcome => return outcome,
            }
        }
        self.driver.execute_internal(commands, on_done).await
    }

    /// Runs commands that contain statements of a script. If an earlier message of the transaction changed how the server reads
    /// text, the commands of the history are sent after the settings are restored.
    async fn run_script(
        &mut self,
        commands: &[Command<'_>],
        on_done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), CommandError> {
        let changes_parsing = |command: &Command<'_>| match command {
            Command::Script(statement) => statement_mode::changes_parsing(statement),
            _ => false,
        };
        let restored = match self.parsing_changed {
            true => commands
                .iter()
                .position(session_settings::restores_encoding),
            false => None,
        };
        // It is the last statement of its call; see `ScriptHooks::ends_call`.
        self.parsing_changed |= commands.iter().any(changes_parsing);
        let Some(restored) = restored else {
            return self.run_call(commands, on_done).await;
        };
        self.parsing_changed = false;
        let (script, bookkeeping) = commands.split_at(restored + 1);
        self.run_call(script, on_done).await?;
        let mut report_done = |command: usize| on_done(script.len() + command);
        self.run_call(bookkeeping, &mut report_done)
            .await
            .map_err(|failure| {
                let command = script.len() + failure.command;
                failure.at_command(command)
            })
    }

    async fn run_call(
        &mut self,
        commands: &[Command<'_>],
        on_done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), CommandError> {
        let name = self.migration_name.take();
        let Some(marked) = name.and_then(|name| ProgressMarkers::new(commands, &name)) else {
            return self.driver.execute(commands, on_done).await;
        };
        let mut report_done = |command| marked.report_done(command, on_done);
        self.driver
            .execute(&marked.commands, &mut report_done)
            .await
            .map_err(|failure| marked.map_failure(failure))
    }
}

#[async_trait]
impl Connection for PostgresConnection {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    fn user(&self) -> Option<&str> {
        self.config
            .driver
            .get_user()
            .or(self.driver.server_info().user.as_deref())
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<Row>, CommandError> {
        self.driver.query(sql).await
    }

    async fn execute(
        &mut self,
        commands: &[Command<'_>],
        on_done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), CommandError> {
        if commands.is_empty() {
            return Ok(());
        }
        let mut has_script = false;
        for (index, command) in commands.iter().enumerate() {
            if let Command::Script(script) = command {
                has_script = true;
                if statement_mode::is_copy_to_stdout(script) {
                    let error = statement_mode::copy_to_stdout_error();
                    return Err(CommandError::new(index, error));
                }
            }
        }
        if has_script {
            return self.run_script(commands, on_done).await;
        }
        match commands {
            // It commits by itself, and no setting of a shared session makes the transaction writable.
            [Command::Internal(sql)]
                if self.pool_mode == PoolMode::Transaction && *sql != DIALECT.rollback =>
            {
                let read_write = Command::Internal("SET TRANSACTION READ WRITE".into());
                self.run_internal(&[read_write, commands[0].clone()], on_done)
                    .await
            }
            commands => self.run_internal(commands, on_done).await,
        }
    }

    fn take_notices(&mut self) -> Vec<Notice> {
        self.driver.take_notices()
    }

    async fn history_schema(&mut self) -> Result<Option<String>> {
        let query = history_schema::locate_sql(&self.history_table);
        match self.driver.query_value(&query).await? {
            Some(schema) => Ok(Some(schema)),
            None => Err(history_schema::no_schema_error()),
        }
    }

    async fn ensure_schema(&mut self, schema: &str) -> Result<()> {
        let query = format!(
            "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = {}",
            literal(schema)
        );
        if self.driver.query_value(&query).await?.is_some() {
            return Ok(());
        }
        let create = Command::internal(format!("CREATE SCHEMA {}", double_quoted(schema)));
        match self.execute(&[create], &mut |_| {}).await {
            Ok(()) => Ok(()),
            // A client that does not use the lock may have created it in between.
            Err(failure) if self.driver.query_value(&query).await?.is_none() => Err(failure.into()),
            Err(_) => Ok(()),
        }
    }

    async fn check_history_absent(&mut self, schema: Option<&str>) -> Result<()> {
        if schema.is_some() {
            // The server rejects a query with a schema name that the user has no privilege on.
            return Ok(());
        }
        let query = history_schema::hidden_history_sql(&self.history_table);
        let rows = self.driver.query(&query).await?;
        history_schema::check_absent(rows, &self.history_table)
    }

    fn lock_condition(&self, key: &LockKey) -> Option<String> {
        Some(held_by_us_sql(key))
    }

    fn canceller(&self) -> Arc<dyn Canceller> {
        Arc::clone(self.driver.canceller()) as Arc<dyn Canceller>
    }

    async fn close(self) -> Result<()> {
        self.driver.close().await;
        Ok(())
    }
}
