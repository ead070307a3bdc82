//! Opens connections, and creates the database if the options ask for it.

use std::time::Duration;

use lockage_core::{ConnectOptions, Error, ErrorKind, Result, Status};
use lockage_sql::{Command, double_quoted};
use tokio::time::Instant;

use crate::config::ConnectConfig;
use crate::connection::PostgresConnection;
use crate::driver::DriverConnection;
use crate::error;
use crate::session_settings;
use crate::tls::Tls;

/// The databases from which another one can be created.
const MAINTENANCE_DATABASES: [&str; 2] = ["postgres", "template1"];

/// The interval between attempts to connect to a database that another client is creating.
const CREATE_POLL_INTERVAL: Duration = Duration::from_millis(100);

pub(crate) async fn connect(options: &ConnectOptions) -> Result<PostgresConnection> {
    let config = ConnectConfig::parse(options)?;
    let tls = Tls::new(&config)?;
    let deadline = Instant::now() + config.connect_timeout();
    let driver = match open(&config, &tls, deadline).await {
        Err(ConnectFailure::DatabaseMissing(error)) if options.create => {
            create_database(&config, &tls, deadline, error).await?
        }
        opened => opened?,
    };
    Ok(PostgresConnection::new(driver, config, tls, options))
}

/// A connect error, with the one case to which the caller reacts.
enum ConnectFailure {
    DatabaseMissing(Error),
    Other(Error),
}

impl From<ConnectFailure> for Error {
    fn from(failure: ConnectFailure) -> Self {
        match failure {
            ConnectFailure::DatabaseMissing(error) | ConnectFailure::Other(error) => error,
        }
    }
}

/// Opens another connection with the same settings.
pub(crate) async fn reopen(config: &ConnectConfig, tls: &Tls) -> Result<DriverConnection> {
    Ok(open(config, tls, Instant::now() + config.connect_timeout()).await?)
}

async fn open(
    config: &ConnectConfig,
    tls: &Tls,
    deadline: Instant,
) -> Result<DriverConnection, ConnectFailure> {
    match tokio::time::timeout_at(deadline, DriverConnection::open(&config.driver, tls)).await {
        Ok(Ok(mut driver)) => match &config.role {
            Some(role) => set_role(&mut driver, role)
                .await
                .map(|()| driver)
                .map_err(ConnectFailure::Other),
            None => Ok(driver),
        },
        Ok(Err(error)) => {
            let is_missing = error.code().is_some_and(|code| code.code() == "3D000");
            let error = error::from_connect(error, &config.display_url);
            Err(if is_missing {
                ConnectFailure::DatabaseMissing(error)
            } else {
                ConnectFailure::Other(error)
            })
        }
        Err(_) => {
            let message = format!(
                "cannot connect to {}: no answer within {} s",
                config.display_url,
                config.connect_timeout().as_secs_f64()
            );
            let error = Error::new(ErrorKind::Connect, message).with_hint(
                "check host and port, or increase --connect-timeout (connect_timeout=<seconds> in the URL)",
            );
            Err(ConnectFailure::Other(error.with_status(Status::Temporary)))
        }
    }
}

async fn set_role(driver: &mut DriverConnection, role: &str) -> Result<()> {
    let Err(failure) = driver.query(&session_settings::set_role(Some(role))).await else {
        return Ok(());
    };
    Err(Error::new(
        ErrorKind::InvalidConfig,
        format!("cannot set the role {role}: {}", failure.error.message()),
    )
    .with_hint(format!(
        "GRANT {} TO the login user, or remove role= from the URL",
        double_quoted(role)
    ))
    .with_source(failure.error))
}

/// Creates the database and connects to it. Another client may create it at the same time.
async fn create_database(
    config: &ConnectConfig,
    tls: &Tls,
    deadline: Instant,
    missing: Error,
) -> Result<DriverConnection> {
    let Some(name) = config.database() else {
        return Err(missing);
    };
    loop {
        let mut driver = open_maintenance(config, tls, deadline).await?;
        // Without a limit: copying a large template takes time.
        let create = Command::internal(format!("CREATE DATABASE {}", double_quoted(name)));
        let created = driver.execute(&[create], &mut |_| {}).await;
        driver.close().await;
        let retry = match created {
            Ok(()) => false,
            Err(failure) => match error::sqlstate(&failure.error) {
                // Another client created it: duplicate_database, unique_violation.
                Some("42P04" | "23505") => false,
                // Another client uses the template: object_in_use.
                Some("55006") => true,
                _ => return Err(create_error(config, failure.error)),
            },
        };
        match open(config, tls, deadline).await {
            Err(ConnectFailure::DatabaseMissing(error)) if !retry || Instant::now() >= deadline => {
                return Err(error);
            }
            Err(ConnectFailure::DatabaseMissing(_)) => {
                tokio::time::sleep(CREATE_POLL_INTERVAL).await;
            }
            opened => return Ok(opened?),
        }
    }
}

fn create_error(config: &ConnectConfig, error: Error) -> Error {
    Error::new(
        ErrorKind::Connect,
        format!(
            "cannot create the database of {}: {}",
            config.display_url,
            error.message()
        ),
    )
    .with_hint("grant the user CREATEDB, or create the database as another user")
    .with_source(error)
}

async fn open_maintenance(
    config: &ConnectConfig,
    tls: &Tls,
    deadline: Instant,
) -> Result<DriverConnection> {
    let [first, second] = MAINTENANCE_DATABASES.map(|name| config.with_database(name));
    match open(&first, tls, deadline).await {
        Ok(driver) => Ok(driver),
        Err(_) => Ok(open(&second, tls, deadline).await?),
    }
}
