//! From an address to an open connection.

use std::time::Duration;

use lockage_core::{ConnectOptions, Error, ErrorKind, Result};
use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::time::Instant;
use tokio_util::compat::TokioAsyncWriteCompatExt;

use crate::address::{Address, Encrypt};
use crate::dialect::{bracketed, literal};
use crate::error;
use crate::transport::{self, Obstacle};
use crate::wire::Wire;

/// The database that every server has.
const MASTER: &str = "master";

/// Between two tries to log in to a server that says that it is not ready.
const PAUSE: Duration = Duration::from_millis(500);

/// How often a server may send us to another one.
const MOST_ROUTES: usize = 3;

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
        Ok(Self {
            address: Address::parse(&options.url)?,
            timeout: options.connect_timeout,
            shown: options.url.to_string(),
        })
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Opens a connection to the database, which is made first where it is missing and that is asked for.
    pub(crate) async fn open_or_create(&self, create: bool) -> Result<Wire> {
        let database = &self.address.database;
        match self.dial(database).await {
            Err(Refused::Driver(error)) if error::is_database_missing(&error) => {
                if create {
                    self.create(database).await?;
                    return self.open().await;
                }
                let told = self.explain(Refused::Driver(error));
                Err(match self.is_missing(database).await {
                    true => told.with_status(Status::DatabaseMissing),
                    false => told,
                })
            }
            dialled => dialled.map_err(|refused| self.explain(refused)),
        }
    }

    /// Whether a database is not there, or this login may not use it: the server says the same of both. As long as nobody says that it is
    /// missing, it is not.
    async fn is_missing(&self, database: &str) -> bool {
        let Ok(mut wire) = self.dial(MASTER).await else {
            return false;
        };
        let found = format!(
            "SELECT CASE WHEN DB_ID({}) IS NULL THEN 1 ELSE 0 END",
            literal(database)
        );
        let answer = wire.run(&found).await.ok();
        let _ = wire.close().await;
        let missing = answer.and_then(|sets| sets.into_iter().flatten().flatten().next()?);
        missing.as_deref() == Some("1")
    }

    /// Opens one more connection.
    pub(crate) async fn open(&self) -> Result<Wire> {
        self.dial(&self.address.database)
            .await
            .map_err(|refused| self.explain(refused))
    }

    async fn create(&self, database: &str) -> Result<()> {
        let mut wire = self
            .dial(MASTER)
            .await
            .map_err(|refused| self.explain(refused))?;
        let (text, name) = (literal(database), bracketed(database));
        let made = wire
            .run(&format!("IF DB_ID({text}) IS NULL CREATE DATABASE {name}"))
            .await;
        match made {
            // Somebody else made it meanwhile.
            Err(broken) if broken.error.code() == Some(1801) => {}
            made => drop(made.map_err(|broken| error::plain(broken.error))?),
        }
        let _ = wire.close().await;
        Ok(())
    }

    /// Connects and logs in. A server that says that it is not ready is asked again: nothing has been written yet.
    async fn dial(&self, database: &str) -> Result<Wire, Refused> {
        let deadline = Instant::now() + self.timeout;
        loop {
            let tried = tokio::time::timeout_at(deadline, self.log_in(database)).await;
            let refused = match tried {
                Ok(Ok(wire)) => return Ok(wire),
                Ok(Err(refused)) => refused,
                Err(_) => return Err(Refused::Late),
            };
            let passing = match &refused {
                Refused::Driver(error @ tiberius::error::Error::Server(_)) => {
                    error::plain(error.clone()).is_temporary()
                }
                _ => false,
            };
            let pause = PAUSE.mul_f64(0.5 + fastrand::f64());
            if !passing || Instant::now() + pause >= deadline {
                return Err(refused);
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn log_in(&self, database: &str) -> Result<Wire, Refused> {
        let mut address = self.address.clone();
        for _ in 0..MOST_ROUTES {
            let (stream, line) = transport::reach(&address).await?;
            match Client::connect(config(&address, database), stream.compat_write()).await {
                Ok(client) => return Ok(Wire::new(client, line)),
                Err(tiberius::error::Error::Routing { host, port }) => {
                    address.host = host;
                    address.port = Some(port);
                    address.instance = None;
                }
                Err(error) => return Err(Refused::Driver(error)),
            }
        }
        Err(Refused::Config(
            "the server sends us from one address to the next".into(),
        ))
    }

    fn explain(&self, refused: Refused) -> Error {
        let shown = &self.shown;
        match refused {
            Refused::Late => Error::new(
                ErrorKind::Connect,
                format!("{shown} did not answer within {:?}", self.timeout),
            )
            .with_status(Status::Temporary),
            Refused::Config(what) => Error::new(ErrorKind::InvalidConfig, format!("cannot connect to {shown}: {what}")),
            Refused::Io(cause) => {
                let made = Error::new(ErrorKind::Connect, format!("cannot connect to {shown}: {cause}"));
                let made = match cause.kind() {
                    std::io::ErrorKind::InvalidData => made,
                    _ => made.with_status(Status::Temporary),
                };
                made.with_source(cause)
            }
            Refused::Tls(cause) => Error::new(
                ErrorKind::Connect,
                format!("no encrypted connection to {shown}: {cause}"),
            )
            .with_hint(
                "a development server signs its certificate itself: trust it with trust_server_certificate=true in the URL, or name \
                 the PEM file of its authority with trust_server_certificate_ca=<path>; encrypt=false sends everything, the password \
                 included, for anybody to read",
            )
            .with_source(cause),
            Refused::Driver(cause) => {
                let server_refused = matches!(cause, tiberius::error::Error::Server(_));
                let unencrypted = self.address.encrypt == Encrypt::Off && !server_refused;
                let cause = error::plain(cause);
                let mut made = Error::new(
                    ErrorKind::Connect,
                    format!("cannot connect to {shown}: {}", cause.message()),
                );
                if let Some(hint) = cause.hint() {
                    made = made.with_hint(hint);
                } else if unencrypted {
                    made = made.with_hint("a server that demands encryption hangs up here: leave encrypt=false out");
                }
                if cause.is_temporary() {
                    made = made.with_status(Status::Temporary);
                }
                made.with_source(cause)
            }
        }
    }
}

/// What the driver is told.
fn config(address: &Address, database: &str) -> Config {
    let mut config = Config::new();
    config.host(&address.host);
    config.database(database);
    config.authentication(AuthMethod::sql_server(&address.user, &address.password));
    config.application_name(address.application.as_deref().unwrap_or("lockage"));
    // As far as the driver is concerned; see `transport`.
    config.encryption(EncryptionLevel::NotSupported);
    // The time limits are ours: a statement may run, and wait for a lock, for as long as it takes.
    config.handshake_timeout(None);
    config.command_timeout(None);
    config.lossy_utf16_decoding(true);
    config
}

/// Why there is no connection.
enum Refused {
    /// The driver or the server said so.
    Driver(tiberius::error::Error),
    Io(std::io::Error),
    Tls(std::io::Error),
    Config(String),
    /// It did not answer in time.
    Late,
}

impl From<Obstacle> for Refused {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::Io(error) => Self::Io(error),
            Obstacle::Tls(error) => Self::Tls(error),
            Obstacle::Config(what) => Self::Config(what),
            Obstacle::Driver(error) => Self::Driver(error),
        }
    }
}
