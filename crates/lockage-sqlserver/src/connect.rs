//! Opens connections: routing, login retries, creation of the database, and connect errors.

use std::time::Duration;

use lockage_core::{ConnectOptions, Error, ErrorKind, Result, Status};
use tiberius::error::Error as DriverError;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::time::Instant;
use tokio_util::compat::TokioAsyncWriteCompatExt;

use crate::config::{ConnectConfig, Encrypt};
use crate::dialect::{bracketed, literal};
use crate::driver::{DriverConnection, QueryError, first_value};
use crate::error;
use crate::transport::{self, TransportError};

/// The database that every server has.
const MASTER_DATABASE: &str = "master";

/// The delay before the next login to a server that reports that it is not ready. It varies by half.
const LOGIN_RETRY_DELAY: Duration = Duration::from_millis(500);

/// How many times a server may redirect a login, as Azure SQL does.
const MAX_REDIRECTS: usize = 3;

/// The number of "the database already exists".
const DATABASE_EXISTS: u32 = 1801;

/// Opens connections to one database with the same settings.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    config: ConnectConfig,
    timeout: Duration,
    /// The URL without its password.
    redacted_url: String,
}

impl Connector {
    pub(crate) fn new(options: &ConnectOptions) -> Result<Self> {
        Ok(Self {
            config: ConnectConfig::parse(&options.url)?,
            timeout: options.connect_timeout,
            redacted_url: options.url.to_string(),
        })
    }

    pub(crate) fn config(&self) -> &ConnectConfig {
        &self.config
    }

    /// Opens a connection to the database.
    pub(crate) async fn open(&self) -> Result<DriverConnection> {
        self.connect_with_retry(&self.config.database)
            .await
            .map_err(|failure| self.connect_error(failure))
    }

    /// Opens a connection to the database. With `create`, creates the database if it does not exist.
    pub(crate) async fn open_or_create(&self, create: bool) -> Result<DriverConnection> {
        let database = &self.config.database;
        match self.connect_with_retry(database).await {
            Ok(driver) => Ok(driver),
            Err(ConnectFailure::Driver(error)) if error::is_database_missing(&error) => {
                if create {
                    self.create_database(database).await?;
                    return self.open().await;
                }
                let error = self.connect_error(ConnectFailure::Driver(error));
                Err(match self.is_missing(database).await {
                    true => error.with_status(Status::DatabaseMissing),
                    false => error,
                })
            }
            Err(failure) => Err(self.connect_error(failure)),
        }
    }

    /// Returns whether a database does not exist.
    ///
    /// The server reports the same login error for a database that exists and is not accessible to this login. Without a
    /// clear answer, the database counts as existing.
    async fn is_missing(&self, database: &str) -> bool {
        let Ok(mut driver) = self.connect_with_retry(MASTER_DATABASE).await else {
            return false;
        };
        let sql = format!(
            "SELECT CASE WHEN DB_ID({}) IS NULL THEN 1 ELSE 0 END",
            literal(database)
        );
        let reply = driver.query(&sql).await.ok();
        let _ = driver.close().await;
        reply.and_then(first_value).as_deref() == Some("1")
    }

    async fn create_database(&self, database: &str) -> Result<()> {
        let mut driver = self
            .connect_with_retry(MASTER_DATABASE)
            .await
            .map_err(|failure| self.connect_error(failure))?;
        let (text, name) = (literal(database), bracketed(database));
        let sql = format!("IF DB_ID({text}) IS NULL CREATE DATABASE {name}");
        match driver.query(&sql).await {
            // Another session created it meanwhile.
            Err(failure) if failure.number() == Some(DATABASE_EXISTS) => {}
            created => drop(created.map_err(QueryError::into_error)?),
        }
        let _ = driver.close().await;
        Ok(())
    }

    /// Connects and logs in. Retries until the connect timeout while the server reports that it is not ready: nothing has been
    /// written yet.
    async fn connect_with_retry(&self, database: &str) -> Result<DriverConnection, ConnectFailure> {
        let deadline = Instant::now() + self.timeout;
        loop {
            let attempt = tokio::time::timeout_at(deadline, self.log_in(database)).await;
            let failure = match attempt {
                Ok(Ok(driver)) => return Ok(driver),
                Ok(Err(failure)) => failure,
                Err(_) => return Err(ConnectFailure::Timeout),
            };
            let is_temporary = match &failure {
                ConnectFailure::Driver(error @ DriverError::Server(_)) => {
                    error::into_error(error.clone()).is_temporary()
                }
                _ => false,
            };
            let delay = LOGIN_RETRY_DELAY.mul_f64(0.5 + fastrand::f64());
            if !is_temporary || Instant::now() + delay >= deadline {
                return Err(failure);
            }
            tokio::time::sleep(delay).await;
        }
    }

    async fn log_in(&self, database: &str) -> Result<DriverConnection, ConnectFailure> {
        let mut config = self.config.clone();
        for _ in 0..MAX_REDIRECTS {
            let (stream, probe) = transport::connect(&config).await?;
            let login = driver_config(&config, database);
            match Client::connect(login, stream.compat_write()).await {
                Ok(client) => return Ok(DriverConnection::new(client, probe)),
                Err(DriverError::Routing { host, port }) => {
                    config.host = host;
                    config.port = Some(port);
                    config.instance = None;
                }
                Err(error) => return Err(ConnectFailure::Driver(error)),
            }
        }
        Err(ConnectFailure::Config(
            "the server redirects the login too often".into(),
        ))
    }

    fn connect_error(&self, failure: ConnectFailure) -> Error {
        let url = &self.redacted_url;
        match failure {
            ConnectFailure::Timeout => Error::new(
                ErrorKind::Connect,
                format!("{url} did not answer within {:?}", self.timeout),
            )
            .with_status(Status::Temporary),
            ConnectFailure::Config(problem) => Error::new(
                ErrorKind::InvalidConfig,
                format!("cannot connect to {url}: {problem}"),
            ),
            ConnectFailure::Io(cause) => {
                let error = Error::new(
                    ErrorKind::Connect,
                    format!("cannot connect to {url}: {cause}"),
                );
                let error = match cause.kind() {
                    // The reply is not one of SQL Server.
                    std::io::ErrorKind::InvalidData => error,
                    _ => error.with_status(Status::Temporary),
                };
                error.with_source(cause)
            }
            ConnectFailure::Tls(cause) => Error::new(
                ErrorKind::Connect,
                format!("cannot encrypt the connection to {url}: {cause}"),
            )
            .with_hint(
                "if the server signs its own certificate, trust it with trust_server_certificate=true in the URL, or name the PEM file \
                 of its authority with trust_server_certificate_ca=<path>; encrypt=false sends everything unencrypted, the password included",
            )
            .with_source(cause),
            ConnectFailure::Driver(cause) => self.login_error(cause),
        }
    }

    fn login_error(&self, cause: DriverError) -> Error {
        let is_server_error = matches!(cause, DriverError::Server(_));
        let cause = error::into_error(cause);
        let mut error = Error::new(
            ErrorKind::Connect,
            format!(
                "cannot connect to {}: {}",
                self.redacted_url,
                cause.message()
            ),
        );
        if let Some(hint) = cause.hint() {
            error = error.with_hint(hint);
        } else if self.config.encrypt == Encrypt::Off && !is_server_error {
            error = error.with_hint(
                "a server that requires encryption closes the connection here; remove encrypt=false",
            );
        }
        if cause.is_temporary() {
            error = error.with_status(Status::Temporary);
        }
        error.with_source(cause)
    }
}

/// Returns the settings for the driver.
fn driver_config(config: &ConnectConfig, database: &str) -> Config {
    let mut login = Config::new();
    login.host(&config.host);
    login.database(database);
    login.authentication(AuthMethod::sql_server(&config.user, &config.password));
    login.application_name(config.application.as_deref().unwrap_or("lockage"));
    // The transport encrypts below the driver.
    login.encryption(EncryptionLevel::NotSupported);
    // Lockage has its own time limits. A statement may run, and wait for a lock, without a limit of the driver.
    login.handshake_timeout(None);
    login.command_timeout(None);
    login.lossy_utf16_decoding(true);
    login
}

/// Why a connection could not be opened.
enum ConnectFailure {
    /// The driver or the server reported an error.
    Driver(DriverError),
    /// The network failed, or the server's first reply is invalid.
    Io(std::io::Error),
    /// The connection could not be encrypted.
    Tls(std::io::Error),
    /// The settings cannot be used.
    Config(String),
    /// The connect timeout elapsed.
    Timeout,
}

impl From<TransportError> for ConnectFailure {
    fn from(failure: TransportError) -> Self {
        match failure {
            TransportError::Io(error) => Self::Io(error),
            TransportError::Tls(error) => Self::Tls(error),
            TransportError::Config(problem) => Self::Config(problem),
            TransportError::Driver(error) => Self::Driver(error),
        }
    }
}
