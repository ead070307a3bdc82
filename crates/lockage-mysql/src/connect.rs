//! Opens connections from a connect config.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use lockage_core::{ConnectOptions, Error, ErrorKind, Result, Status};
use mysql_async::{Conn, DriverError, Opts, OptsBuilder};
use tokio::time::Instant;

use crate::config::{ConnectConfig, SslMode};
use crate::dialect::backticked;
use crate::driver::DriverConnection;
use crate::driver_panic::catch_panic;
use crate::error::{self, UNKNOWN_DATABASE};

/// After this idle time the kernel probes a connection.
const TCP_KEEPALIVE: Duration = Duration::from_secs(5);

/// How long a host may take to accept a connection: enough for the first packet to be lost twice.
const TCP_CONNECT_TIMEOUT: Duration = Duration::from_secs(6);

/// The server has too many connections, in total or of this user.
const TOO_MANY_CONNECTIONS: [u16; 2] = [1040, 1203];

/// The delay after the first attempt at a server with too many connections. It doubles up to [`MAX_BUSY_DELAY`].
const BUSY_DELAY: Duration = Duration::from_millis(50);

const MAX_BUSY_DELAY: Duration = Duration::from_millis(500);

/// The driver must not reject any packet: the server's own `max_allowed_packet` decides.
const MAX_PACKET: usize = 1024 * 1024 * 1024;

/// Opens connections to one database.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    config: ConnectConfig,
    timeout: Duration,
    /// The URL without its password.
    url: String,
    /// The number of KILL statements that sessions of this connector ran.
    own_kills: Arc<AtomicU64>,
}

impl Connector {
    /// Parses the URL.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`].
    pub(crate) fn new(options: &ConnectOptions) -> Result<Self> {
        let config = ConnectConfig::parse(&options.url)?;
        #[cfg(not(feature = "tls"))]
        if !matches!(config.ssl_mode, SslMode::Disabled | SslMode::Preferred) {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                format!(
                    "{} requires TLS, and this program was built without it",
                    options.url
                ),
            )
            .with_hint("enable the feature `tls` of lockage-mysql"));
        }
        Ok(Self {
            config,
            timeout: options.connect_timeout,
            url: options.url.to_string(),
            own_kills: Arc::default(),
        })
    }

    /// Returns the counter of the KILL statements that sessions of this connector ran.
    pub(crate) fn own_kills(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.own_kills)
    }

    /// Returns the database in the URL.
    pub(crate) fn database(&self) -> &str {
        &self.config.database
    }

    /// Opens a connection to the database. If it does not exist and `create` is true, creates it first.
    pub(crate) async fn open_or_create(&self, create: bool) -> Result<DriverConnection> {
        let database = self.database();
        match self.connect_once(Some(database)).await {
            Err(ConnectFailure::Server(UNKNOWN_DATABASE, _)) if create => {
                let mut driver = self
                    .connect_once(None)
                    .await
                    .map_err(|failure| self.connect_error(failure))?;
                driver.run(&create_database_sql(database)).await?;
                Ok(driver)
            }
            connected => connected.map_err(|failure| self.connect_error(failure)),
        }
    }

    /// Opens another connection, possibly to another server at the same address.
    pub(crate) async fn open(&self) -> Result<DriverConnection> {
        self.connect_once(Some(self.database()))
            .await
            .map_err(|failure| self.connect_error(failure))
    }

    /// Opens another connection during a run. If the server does not answer, the error has the status
    /// [`Status::ConnectionLost`].
    pub(crate) async fn reopen(&self) -> Result<DriverConnection> {
        let failure = match self.connect_once(Some(self.database())).await {
            Ok(driver) => return Ok(driver),
            Err(failure) => failure,
        };
        let is_rejected = matches!(failure, ConnectFailure::Server(..));
        let error = self.connect_error(failure);
        Err(if !is_rejected && error.is_temporary() {
            error.with_status(Status::ConnectionLost)
        } else {
            error
        })
    }

    /// Returns whether the connection uses a network.
    pub(crate) fn is_remote(&self) -> bool {
        self.config.socket.is_none()
    }

    /// Tries to open another connection within `timeout`.
    pub(crate) async fn try_open(&self, timeout: Duration) -> ProbeOutcome {
        match tokio::time::timeout(timeout, self.connect_once(Some(self.database()))).await {
            Ok(Ok(driver)) => ProbeOutcome::Connected(Box::new(driver)),
            Ok(Err(ConnectFailure::Server(..))) => ProbeOutcome::Rejected,
            Ok(Err(ConnectFailure::Network(_) | ConnectFailure::Timeout)) | Err(_) => {
                ProbeOutcome::NoAnswer
            }
        }
    }

    /// Returns whether the host accepts TCP connections at the server's port. A server without time to log a client in passes,
    /// too.
    pub(crate) async fn is_port_open(&self) -> bool {
        let address = (self.config.host.as_str(), self.config.port);
        let connecting = tokio::net::TcpStream::connect(address);
        let connected = tokio::time::timeout(TCP_CONNECT_TIMEOUT, connecting).await;
        matches!(connected, Ok(Ok(_)))
    }

    /// Opens a connection. While the server has too many connections, tries again until the connect timeout.
    async fn connect_once(
        &self,
        database: Option<&str>,
    ) -> Result<DriverConnection, ConnectFailure> {
        let started_at = Instant::now();
        let mut delay = BUSY_DELAY;
        loop {
            match self.try_connect(database).await {
                Err(ConnectFailure::Server(number, _))
                    if TOO_MANY_CONNECTIONS.contains(&number)
                        && started_at.elapsed() + delay < self.timeout =>
                {
                    tokio::time::sleep(delay).await;
                    delay = (delay * 2).min(MAX_BUSY_DELAY);
                }
                connected => return connected,
            }
        }
    }

    async fn try_connect(
        &self,
        database: Option<&str>,
    ) -> Result<DriverConnection, ConnectFailure> {
        let connecting = async {
            if self.uses_tls() {
                match connect(self.options(database, true)).await {
                    Err(mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer))
                        if self.config.ssl_mode == SslMode::Preferred => {}
                    connected => return connected,
                }
            }
            connect(self.options(database, false)).await
        };
        match tokio::time::timeout(self.timeout, connecting).await {
            Ok(Ok(conn)) => Ok(DriverConnection::new(conn)),
            Ok(Err(error)) => match error::number(&error) {
                Some(number) => Err(ConnectFailure::Server(number, error)),
                None => Err(ConnectFailure::Network(error)),
            },
            Err(_) => Err(ConnectFailure::Timeout),
        }
    }

    fn uses_tls(&self) -> bool {
        // Data in a socket never leaves the host.
        cfg!(feature = "tls")
            && self.config.ssl_mode != SslMode::Disabled
            && self.config.socket.is_none()
    }

    fn options(&self, database: Option<&str>, tls: bool) -> Opts {
        let config = &self.config;
        let options = OptsBuilder::default()
            .ip_or_hostname(config.host.clone())
            .tcp_port(config.port)
            .socket(config.socket.clone())
            .user(Some(config.user.clone()))
            .pass(config.password.clone())
            .db_name(database.map(str::to_owned))
            .tcp_keepalive(Some(TCP_KEEPALIVE))
            .prefer_socket(false)
            .stmt_cache_size(0)
            .connect_attribute("program_name", "lockage")
            .connect_attribute("_pid", std::process::id().to_string())
            // With these two set, the driver does not query the server for them.
            .max_allowed_packet(Some(MAX_PACKET))
            .wait_timeout(Some(28_800));
        #[cfg(feature = "tls")]
        let options = options.ssl_opts(tls.then(|| crate::tls::options(config)));
        #[cfg(not(feature = "tls"))]
        let _ = tls;
        options.into()
    }

    fn connect_error(&self, failure: ConnectFailure) -> Error {
        let (kind, is_temporary, cause) = match failure {
            ConnectFailure::Timeout => return timeout_error(&self.url, self.timeout),
            ConnectFailure::Server(_, cause) => {
                let cause = error::into_error(cause);
                let kind = match cause.kind() {
                    ErrorKind::MigrationFailed => ErrorKind::Connect,
                    kind => kind,
                };
                (kind, cause.is_temporary(), cause)
            }
            ConnectFailure::Network(cause) => {
                // A server that shuts down disconnects during the handshake.
                let is_temporary = matches!(
                    &cause,
                    mysql_async::Error::Io(mysql_async::IoError::Io(_))
                        | mysql_async::Error::Driver(DriverError::ConnectionClosed)
                );
                (ErrorKind::Connect, is_temporary, error::into_error(cause))
            }
        };
        let mut error = Error::new(
            kind,
            format!("cannot connect to {}: {}", self.url, cause.message()),
        );
        if let Some(hint) = cause.hint() {
            error = error.with_hint(hint);
        }
        if is_temporary {
            error = error.with_status(Status::Temporary);
        }
        error.with_source(cause)
    }
}

async fn connect(options: Opts) -> Result<Conn, mysql_async::Error> {
    catch_panic(Conn::new(options)).await?
}

/// Returns the SQL that creates a database and selects it.
pub(crate) fn create_database_sql(database: &str) -> String {
    let name = backticked(database);
    format!("CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4; USE {name}")
}

/// Returns the error of a server that did not answer while a session was opened.
pub(crate) fn timeout_error(url: &impl Display, timeout: Duration) -> Error {
    Error::new(
        ErrorKind::Connect,
        format!("{url} did not answer within {timeout:?}"),
    )
    .with_status(Status::Temporary)
}

/// The outcome of an attempt to connect.
pub(crate) enum ProbeOutcome {
    Connected(Box<DriverConnection>),
    /// The server answered and rejected the login.
    Rejected,
    /// No valid answer arrived in time.
    NoAnswer,
}

/// Why a connection was not opened.
enum ConnectFailure {
    /// The server sent an error with this number.
    Server(u16, mysql_async::Error),
    /// The server was not reached, or its certificate was rejected.
    Network(mysql_async::Error),
    /// The server did not answer in time.
    Timeout,
}
