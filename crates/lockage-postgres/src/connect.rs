//! From a URL to a session.

use std::time::Duration;

use lockage_core::{ConnectOptions, Error, ErrorKind, LockStrategy, Result};
use lockage_sql::double_quoted;
use tokio::time::Instant;

use crate::address::Address;
use crate::connection::PostgresConnection;
use crate::error;
use crate::link::Link;
use crate::settings;
use crate::tls::Tls;

/// The databases from which another one can be made.
const MAINTENANCE: [&str; 2] = ["postgres", "template1"];

/// The pause before another look at a database that somebody else is making.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

pub(crate) async fn connect(options: &ConnectOptions) -> Result<PostgresConnection> {
    if options.lock_strategy == LockStrategy::Transaction {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "a lock that ends with a transaction would have to be held by another connection than the one that writes, which would not \
             notice its end",
        )
        .with_hint("take --lock-strategy table behind a pooler in transaction mode, or leave the option out"));
    }
    let address = Address::parse(options)?;
    let tls = Tls::new(&address)?;
    let deadline = Instant::now() + address.patience();
    let link = match open(&address, &tls, deadline).await {
        Err(Refused::NoDatabase(error)) if options.create => {
            make_database(&address, &tls, deadline, error).await?
        }
        opened => opened?,
    };
    Ok(PostgresConnection::new(link, address, tls, options))
}

/// Why there is no connection.
enum Refused {
    NoDatabase(Error),
    Other(Error),
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NoDatabase(error) | Refused::Other(error) => error,
        }
    }
}

/// One more connection, as the first was made.
pub(crate) async fn open_again(address: &Address, tls: &Tls) -> Result<Link> {
    Ok(open(address, tls, Instant::now() + address.patience()).await?)
}

async fn open(address: &Address, tls: &Tls, deadline: Instant) -> Result<Link, Refused> {
    match tokio::time::timeout_at(deadline, Link::open(&address.config, tls)).await {
        Ok(Ok(mut link)) => match &address.role {
            Some(role) => take_role(&mut link, role)
                .await
                .map(|()| link)
                .map_err(Refused::Other),
            None => Ok(link),
        },
        Ok(Err(error)) => {
            let missing = error.code().is_some_and(|code| code.code() == "3D000");
            let error = error::of_connecting(error, &address.shown);
            Err(if missing {
                Refused::NoDatabase(error)
            } else {
                Refused::Other(error)
            })
        }
        Err(_) => {
            let seconds = address.patience().as_secs_f64();
            let late = format!(
                "cannot connect to {}: no answer within {seconds} s",
                address.shown
            );
            let error = Error::new(ErrorKind::Connect, late)
                .with_hint("check host and port; a slow way may take longer with --connect-timeout, or connect_timeout=<seconds> in the URL");
            Err(Refused::Other(error.with_status(Status::Temporary)))
        }
    }
}

async fn take_role(link: &mut Link, role: &str) -> Result<()> {
    let Err(failure) = link.query(&settings::take_role(Some(role))).await else {
        return Ok(());
    };
    Err(Error::new(
        ErrorKind::InvalidConfig,
        format!(
            "the session cannot take the role {role}: {}",
            failure.error.message()
        ),
    )
    .with_hint(format!(
        "GRANT {} TO the user that logs in, or take role= out of the URL",
        double_quoted(role)
    ))
    .with_source(failure.error))
}

/// Makes the database, unless somebody else is quicker, and connects to it.
async fn make_database(
    address: &Address,
    tls: &Tls,
    deadline: Instant,
    missing: Error,
) -> Result<Link> {
    let Some(name) = address.database() else {
        return Err(missing);
    };
    loop {
        let mut link = open_maintenance(address, tls, deadline).await?;
        let made = link
            .query(&format!("CREATE DATABASE {}", double_quoted(name)))
            .await;
        link.close().await;
        let retry = match made {
            Ok(_) => false,
            Err(failure) => match error::sqlstate(&failure.error) {
                // Somebody else made it: duplicate_database, unique_violation.
                Some("42P04" | "23505") => false,
                // The template is in use: object_in_use.
                Some("55006") => true,
                _ => {
                    return Err(Error::new(
                        ErrorKind::Connect,
                        format!(
                            "cannot make the database of {}: {}",
                            address.shown,
                            failure.error.message()
                        ),
                    )
                    .with_hint("the user needs CREATEDB; or have somebody else make the database")
                    .with_source(failure.error));
                }
            },
        };
        match open(address, tls, deadline).await {
            Err(Refused::NoDatabase(error)) if !retry || Instant::now() >= deadline => {
                return Err(error);
            }
            Err(Refused::NoDatabase(_)) => tokio::time::sleep(LOOK_AGAIN).await,
            opened => return Ok(opened?),
        }
    }
}

async fn open_maintenance(address: &Address, tls: &Tls, deadline: Instant) -> Result<Link> {
    let [first, second] = MAINTENANCE.map(|name| address.with_database(name));
    match open(&first, tls, deadline).await {
        Ok(link) => Ok(link),
        Err(_) => Ok(open(&second, tls, deadline).await?),
    }
}
