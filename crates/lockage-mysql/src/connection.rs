//! One session on a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use lockage_core::{Canceller, ConnectOptions, Error, ErrorKind, LockKey, Result, Status};
use lockage_sql::{Command, CommandError, Connection, Dialect, Row};

use crate::batch::{self, StatementLimits};
use crate::cancel::MysqlCanceller;
use crate::connect::{Connector, create_database_sql, timeout_error};
use crate::dialect::{DIALECT, backticked};
use crate::disconnect;
use crate::driver::DriverConnection;
use crate::error::{self, UNKNOWN_DATABASE};
use crate::keepalive::KeepAlive;
use crate::liveness::LivenessMonitor;
use crate::lock;
use crate::schema_code::SchemaCode;
use crate::server_info::{SERVER_INFO_QUERY, ServerInfo};
use crate::session_settings::{WSREP_SYNC_WAIT, session_defaults};
use crate::session_state::ScriptSessionState;
use crate::shared_driver::SharedDriver;

/// One session on a server.
#[derive(Debug)]
pub(crate) struct MysqlConnection {
    pub(crate) driver: SharedDriver,
    /// Whether a call to the server has started and not ended.
    is_busy: Arc<AtomicBool>,
    pub(crate) connector: Connector,
    pub(crate) server: ServerInfo,
    /// The database that contains the history, in which unqualified names are resolved when a migration starts.
    pub(crate) initial_database: String,
    canceller: MysqlCanceller,
    pub(crate) keepalive: Option<KeepAlive>,
    /// The statement timeout of the current migration.
    pub(crate) statement_timeout: Option<Duration>,
    /// The session state of the current migration.
    pub(crate) session_state: ScriptSessionState,
    /// What the statements of a script can reach; `None` if it must be read again.
    pub(crate) schema_code: Option<SchemaCode>,
    /// The names of the native locks of this session, in the order in which it acquired them.
    pub(crate) native_locks: Vec<String>,
    /// Whether a script may have left something in the session.
    pub(crate) is_session_changed: bool,
    pub(crate) in_transaction: bool,
    /// The idle time after which the server ends this session, if a limit was set.
    pub(crate) idle_timeout: Option<Duration>,
}

impl MysqlConnection {
    /// Opens a session.
    ///
    /// # Errors
    /// [`ErrorKind::Connect`], in most cases.
    pub(crate) async fn open(connector: Connector, options: &ConnectOptions) -> Result<Self> {
        let driver = connector.open_or_create(options.create).await?;
        let opening = Self::initialize(connector, driver, options.schema.clone());
        match tokio::time::timeout(options.connect_timeout, opening).await {
            // A session that was never used cannot be lost.
            Ok(Err(error)) if error.kind() == ErrorKind::SessionLost => Err(Error::new(
                ErrorKind::Connect,
                format!("cannot connect to {}: {}", options.url, error.message()),
            )
            .with_status(Status::Temporary)
            .with_source(error)),
            Ok(opened) => opened,
            Err(_) => Err(timeout_error(&options.url, options.connect_timeout)),
        }
    }

    /// Sets up the session of a new driver connection, and reads the server's version and settings.
    pub(crate) async fn initialize(
        connector: Connector,
        mut driver: DriverConnection,
        schema: Option<String>,
    ) -> Result<Self> {
        let sql = format!("{}; {SERVER_INFO_QUERY}", session_defaults());
        let sets = driver.run(&sql).await?;
        let [.., variables, status, session] = &sets[..] else {
            return Err(Error::new(
                ErrorKind::Connect,
                "could not read the server's version and settings",
            ));
        };
        let server = ServerInfo::read(variables, status, session.first())?
            .with_own_kills(connector.own_kills());
        if server.clustered {
            driver.execute(WSREP_SYNC_WAIT).await?;
        }
        if let Some(schema) = &schema {
            // If the database does not exist, the history is empty, and the database is created under the lock.
            use_database(&mut driver, schema).await?;
        }
        let monitor = LivenessMonitor::new(&connector, &server, driver.handshake_id());
        driver.set_monitor(Box::new(monitor));
        Ok(Self {
            is_busy: driver.is_busy(),
            driver: SharedDriver::new(driver),
            initial_database: schema
                .or_else(|| server.database.clone())
                .unwrap_or_else(|| connector.database().to_owned()),
            canceller: MysqlCanceller::new(connector.clone(), server.clone()),
            connector,
            server,
            keepalive: None,
            statement_timeout: None,
            session_state: ScriptSessionState::default(),
            schema_code: None,
            native_locks: Vec::new(),
            is_session_changed: false,
            in_transaction: false,
            idle_timeout: None,
        })
    }

    /// Returns the name of a lock. It contains the database of the URL, whatever the schema.
    pub(crate) fn lock_name(&self, key: &LockKey) -> String {
        lock::lock_name(key, self.current_database())
    }

    /// Returns the database of the session at its start.
    pub(crate) fn current_database(&self) -> &str {
        let database = self.server.database.as_deref();
        database.unwrap_or_else(|| self.connector.database())
    }

    /// Returns whether the session may end while it is idle, because no task keeps it alive.
    pub(crate) fn needs_keepalive(&self) -> bool {
        self.keepalive.is_none()
    }

    /// Adds the status of a lost session to an error.
    pub(crate) async fn classify_loss(&self, error: Error) -> Error {
        // After the same reply the driver would panic again.
        if error.kind() != ErrorKind::SessionLost || error::is_driver_panic(&error) {
            return error;
        }
        let idle_too_long = match (self.idle_timeout, self.driver.borrow().await) {
            (Some(limit), Ok(driver)) => driver.idle_time() >= limit,
            _ => false,
        };
        disconnect::classify(&self.connector, &self.server, idle_too_long, error).await
    }

    /// Adds the status of a lost session to the error of a call.
    pub(crate) async fn with_classified_loss<T>(&self, result: Result<T>) -> Result<T> {
        match result {
            Ok(value) => Ok(value),
            Err(error) => Err(self.classify_loss(error).await),
        }
    }

    async fn session_lost(&self, failed: CommandError) -> CommandError {
        let CommandError {
            command,
            position,
            cause,
            error,
            ..
        } = failed;
        CommandError::new(command, self.classify_loss(error).await)
            .with_cause(cause)
            .with_position(position)
    }
}

/// Selects a database; returns `false` if it does not exist.
async fn use_database(driver: &mut DriverConnection, database: &str) -> Result<bool> {
    match driver
        .execute(&format!("USE {}", backticked(database)))
        .await
    {
        Ok(()) => Ok(true),
        Err(failed) if failed.number() == Some(UNKNOWN_DATABASE) => Ok(false),
        Err(failed) => Err(failed.into()),
    }
}

/// Selects a database, and creates it first if it does not exist.
async fn ensure_database(driver: &mut DriverConnection, database: &str) -> Result<()> {
    // An existing database requires no privilege to create one.
    if !use_database(driver, database).await? {
        driver.run(&create_database_sql(database)).await?;
    }
    Ok(())
}

impl Drop for MysqlConnection {
    fn drop(&mut self) {
        self.keepalive = None;
        if self.is_busy.load(Ordering::SeqCst) {
            // The server would continue the statement, and keep the lock until its end.
            self.canceller.clone().terminate_in_background();
        }
        if let Some(mut driver) = self.driver.try_borrow() {
            *driver = None;
        }
    }
}

#[async_trait]
impl Connection for MysqlConnection {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    fn user(&self) -> Option<&str> {
        let account = self.server.user.as_deref()?;
        Some(account.split('@').next().unwrap_or(account))
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<Row>, CommandError> {
        let mut driver = self
            .driver
            .borrow()
            .await
            .map_err(|error| CommandError::new(0, error))?;
        let result = driver.run(sql).await;
        drop(driver);
        match result {
            Ok(sets) => Ok(sets.into_iter().next().unwrap_or_default()),
            Err(failed) => {
                let failed = error::command_error(0, sql, failed.error);
                Err(self.session_lost(failed).await)
            }
        }
    }

    async fn execute(
        &mut self,
        commands: &[Command<'_>],
        on_done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), CommandError> {
        let limits = StatementLimits {
            timeout: self.statement_timeout,
            max_packet: self.server.max_packet,
        };
        let mut driver = self
            .driver
            .borrow()
            .await
            .map_err(|error| CommandError::new(0, error))?;
        let result = batch::run(&mut driver, &self.canceller, limits, commands, on_done).await;
        self.in_transaction = driver.in_transaction();
        drop(driver);
        match result {
            Ok(()) => Ok(()),
            Err(failed) => Err(self.session_lost(failed).await),
        }
    }

    async fn history_schema(&mut self) -> Result<Option<String>> {
        Ok(Some(self.initial_database.clone()))
    }

    async fn ensure_schema(&mut self, schema: &str) -> Result<()> {
        let created = ensure_database(&mut *self.driver.borrow().await?, schema).await;
        self.with_classified_loss(created).await
    }

    fn lock_condition(&self, key: &LockKey) -> Option<String> {
        Some(lock::condition(&self.lock_name(key)))
    }

    fn canceller(&self) -> Arc<dyn Canceller> {
        Arc::new(self.canceller.clone())
    }

    async fn close(mut self) -> Result<()> {
        self.keepalive = None;
        match self.driver.take().await {
            Some(driver) => Ok(driver.close().await?),
            None => Ok(()),
        }
    }
}
