//! From an address to an open connection.

use std::time::Duration;

use lockage_core::{ConnectOptions, Error, ErrorKind, Result};
use mysql_async::{Conn, DriverError, Opts, OptsBuilder};

use crate::address::{Address, Trust};
use crate::dialect::backticked;
use crate::error;
use crate::wire::Wire;

/// A connection on which nothing comes is probed after this time.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// How long a host may take to take a connection: time for the first packet to be lost twice.
const KNOCK: Duration = Duration::from_secs(6);

/// No packet of ours is refused by the driver; the server's own `max_allowed_packet` decides.
const LONGEST_PACKET: usize = 1024 * 1024 * 1024;

/// Opens connections to one database, all in the same way.
#[derive(Debug, Clone)]
pub(crate) struct Gangway {
    address: Address,
    timeout: Duration,
    /// The URL without its password.
    shown: String,
}

impl Gangway {
    pub(crate) fn new(options: &ConnectOptions) -> Result<Self> {
        let address = Address::parse(&options.url)?;
        #[cfg(not(feature = "tls"))]
        if !matches!(address.trust, Trust::Disabled | Trust::Preferred) {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                format!(
                    "this program is built without TLS, which {} asks for",
                    options.url
                ),
            )
            .with_hint("build it with the feature `tls` of lockage-mysql"));
        }
        Ok(Self {
            address,
            timeout: options.connect_timeout,
            shown: options.url.to_string(),
        })
    }

    pub(crate) fn database(&self) -> &str {
        &self.address.database
    }

    /// Opens a connection to the database, which is made first where it is missing and that is asked for.
    pub(crate) async fn open_or_create(&self, create: bool) -> Result<Wire> {
        let database = self.database();
        match self.dial(Some(database)).await {
            Err(Refused::Server(1049, _)) if create => {
                let mut wire = self
                    .dial(None)
                    .await
                    .map_err(|refused| self.explain(refused))?;
                let name = backticked(database);
                wire.run(&format!(
                    "CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4; USE {name}"
                ))
                .await
                .map_err(|broken| error::plain(broken.error))?;
                Ok(wire)
            }
            dialled => dialled.map_err(|refused| self.explain(refused)),
        }
    }

    /// Opens one more connection, to the server that answers now.
    pub(crate) async fn open(&self) -> Result<Wire> {
        self.dial(Some(self.database()))
            .await
            .map_err(|refused| self.explain(refused))
    }

    /// The same for a run that is under way: where nobody answers, its server went away.
    pub(crate) async fn open_another(&self) -> Result<Wire> {
        match self.dial(Some(self.database())).await {
            Ok(wire) => Ok(wire),
            Err(Refused::Server(number, cause)) => {
                Err(self.explain(Refused::Server(number, cause)))
            }
            Err(refused) => {
                let error = self.explain(refused);
                Err(match error.is_temporary() {
                    true => error.with_status(Status::ConnectionLost),
                    false => error,
                })
            }
        }
    }

    /// Whether the server is reached over a network.
    pub(crate) fn is_remote(&self) -> bool {
        self.address.socket.is_none()
    }

    /// Opens one more connection, where the server answers in time.
    pub(crate) async fn glimpse(&self, patience: Duration) -> Glimpse {
        match tokio::time::timeout(patience, self.dial(Some(self.database()))).await {
            Ok(Ok(wire)) => Glimpse::Open(Box::new(wire)),
            Ok(Err(Refused::Server(..))) => Glimpse::Refused,
            Ok(Err(Refused::Way(_) | Refused::Late)) | Err(_) => Glimpse::Nothing,
        }
    }

    /// Whether anybody takes a connection at the address of the server, be it a server that has no time.
    pub(crate) async fn is_answered(&self) -> bool {
        let address = (self.address.host.as_str(), self.address.port);
        let knocked = tokio::time::timeout(KNOCK, tokio::net::TcpStream::connect(address)).await;
        matches!(knocked, Ok(Ok(_)))
    }

    async fn dial(&self, database: Option<&str>) -> Result<Wire, Refused> {
        let whole = async {
            if self.encrypts() {
                match Conn::new(self.options(database, true)).await {
                    Err(mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer))
                        if self.address.trust == Trust::Preferred => {}
                    other => return other,
                }
            }
            Conn::new(self.options(database, false)).await
        };
        match tokio::time::timeout(self.timeout, whole).await {
            Ok(Ok(conn)) => Ok(Wire::new(conn)),
            Ok(Err(error)) => match error::number(&error) {
                Some(number) => Err(Refused::Server(number, error)),
                None => Err(Refused::Way(error)),
            },
            Err(_) => Err(Refused::Late),
        }
    }

    fn encrypts(&self) -> bool {
        // What goes through a socket never leaves the machine.
        cfg!(feature = "tls")
            && self.address.trust != Trust::Disabled
            && self.address.socket.is_none()
    }

    fn options(&self, database: Option<&str>, encrypted: bool) -> Opts {
        let address = &self.address;
        let options = OptsBuilder::default()
            .ip_or_hostname(address.host.clone())
            .tcp_port(address.port)
            .socket(address.socket.clone())
            .user(Some(address.user.clone()))
            .pass(address.password.clone())
            .db_name(database.map(str::to_owned))
            .tcp_keepalive(Some(KEEPALIVE))
            .prefer_socket(false)
            .stmt_cache_size(0)
            .connect_attribute("program_name", "lockage")
            .connect_attribute("_pid", std::process::id().to_string())
            // Said here, so that the driver does not ask the server.
            .max_allowed_packet(Some(LONGEST_PACKET))
            .wait_timeout(Some(28_800));
        #[cfg(feature = "tls")]
        let options = options.ssl_opts(encrypted.then(|| crate::tls::options(address)));
        #[cfg(not(feature = "tls"))]
        let _ = encrypted;
        options.into()
    }

    fn explain(&self, refused: Refused) -> Error {
        let shown = &self.shown;
        match refused {
            Refused::Server(_, cause) => {
                let cause = error::plain(cause);
                let mut made = Error::new(
                    if cause.kind() == ErrorKind::MigrationFailed {
                        ErrorKind::Connect
                    } else {
                        cause.kind()
                    },
                    format!("cannot connect to {shown}: {}", cause.message()),
                );
                if let Some(hint) = cause.hint() {
                    made = made.with_hint(hint);
                }
                if cause.is_temporary() {
                    made = made.with_status(Status::Temporary);
                }
                made.with_source(cause)
            }
            Refused::Way(cause) => {
                // A server that is about to end hangs up in the middle of the greeting.
                let passing = matches!(
                    &cause,
                    mysql_async::Error::Io(mysql_async::IoError::Io(_))
                        | mysql_async::Error::Driver(DriverError::ConnectionClosed)
                );
                let cause = error::plain(cause);
                let mut made = Error::new(
                    ErrorKind::Connect,
                    format!("cannot connect to {shown}: {}", cause.message()),
                );
                if let Some(hint) = cause.hint() {
                    made = made.with_hint(hint);
                }
                let made = if passing { made.with_status(Status::Temporary) } else { made };
                made.with_source(cause)
            }
            Refused::Late => Error::new(
                ErrorKind::Connect,
                format!("{shown} did not answer within {:?}", self.timeout),
            )
            .with_status(Status::Temporary),
        }
    }
}

/// What comes of trying to open a connection.
pub(crate) enum Glimpse {
    Open(Box<Wire>),
    /// The server answers, and does not let us in.
    Refused,
    /// Nothing that makes sense came in time.
    Nothing,
}

/// Why there is no connection.
enum Refused {
    /// The server said so, by a number.
    Server(u16, mysql_async::Error),
    /// It was not reached, or not trusted.
    Way(mysql_async::Error),
    /// It did not answer in time.
    Late,
}
