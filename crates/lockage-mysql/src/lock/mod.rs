//! The lock that the server keeps for a session: `GET_LOCK`.

mod handover;
mod holder;
mod key;
mod provider;
mod terminate;

use lockage_core::{Error, ErrorKind, LockKey, Result};
use lockage_sql::lock_not_held_error;

use crate::dialect::literal;
use crate::driver::{DriverConnection, to_bool};
use crate::error::DEADLOCK;

pub(crate) use handover::{HandoverError, hand_over};
pub(crate) use holder::holder;
pub(crate) use key::lock_name;
pub(crate) use terminate::{terminate_expired_holder, terminate_holder};

/// A deadlock among sessions that wait for user-level locks.
const USER_LOCK_DEADLOCK: u16 = 3058;

/// The server does not support GET_LOCK: unknown error, not supported, forbidden by an option, no such function.
const NOT_SUPPORTED: [u16; 4] = [1105, 1235, 1295, 1305];

/// The reply to GET_LOCK.
enum LockReply {
    Acquired,
    Busy,
    /// The server failed, for this reason.
    Error(String),
}

/// Tries once to acquire a lock, without waiting.
///
/// # Errors
/// [`ErrorKind::Unsupported`] if the server does not support the lock, or does not exclude other sessions by it.
pub(crate) async fn try_lock(
    driver: &mut DriverConnection,
    key: &LockKey,
    name: &str,
) -> Result<bool> {
    match get_lock(driver, name).await? {
        LockReply::Busy => Ok(false),
        LockReply::Error(reason) => Err(Error::new(
            ErrorKind::Unsupported,
            format!("the server does not support the lock `{name}`: {reason}"),
        )
        .with_hint("use another lock, with --lock-strategy table")),
        LockReply::Acquired => {
            // Detects an engine that returns 1 and locks nothing, and a proxy that runs each query in another session.
            if holds(driver, name).await? {
                return Ok(true);
            }
            Err(Error::new(
                ErrorKind::Unsupported,
                format!("the server granted lock {key} but does not report this session as its holder; nothing was written"),
            )
            .with_hint("connect to the server itself instead of a proxy, or use another lock with --lock-strategy table"))
        }
    }
}

async fn get_lock(driver: &mut DriverConnection, name: &str) -> Result<LockReply> {
    let name = literal(name);
    // A lock that is already held is not acquired again: a single release would not free it then.
    // The timeout must not be negative: MariaDB then returns NULL and locks nothing.
    let sql = format!("SELECT IF(IS_USED_LOCK({name}) = CONNECTION_ID(), 1, GET_LOCK({name}, 0))");
    let sets = match driver.run(&sql).await {
        Ok(sets) => sets,
        Err(failed) => {
            return match failed.number() {
                Some(USER_LOCK_DEADLOCK | DEADLOCK) => Ok(LockReply::Busy),
                // A cluster can forbid GET_LOCK.
                Some(number) if NOT_SUPPORTED.contains(&number) => {
                    Ok(LockReply::Error(failed.error.to_string()))
                }
                _ => Err(failed.into()),
            };
        }
    };
    match sets
        .first()
        .and_then(|rows| rows.first()?.first()?.as_deref())
    {
        Some("1") => Ok(LockReply::Acquired),
        Some("0") => Ok(LockReply::Busy),
        _ => Ok(LockReply::Error(warnings(driver).await?)),
    }
}

/// Returns the warnings of the last statement, as one text.
async fn warnings(driver: &mut DriverConnection) -> Result<String> {
    let sets = driver.run("SHOW WARNINGS").await?;
    let texts: Vec<String> = sets
        .into_iter()
        .flatten()
        .filter_map(|row| row.into_iter().nth(2)?)
        .collect();
    Ok(if texts.is_empty() {
        "GET_LOCK returned NULL".into()
    } else {
        texts.join("; ")
    })
}

/// Returns an SQL condition that is true while this session holds the lock.
pub(crate) fn condition(name: &str) -> String {
    format!(
        "COALESCE(IS_USED_LOCK({}) = CONNECTION_ID(), 0)",
        literal(name)
    )
}

/// Returns whether this session holds the lock.
pub(crate) async fn holds(driver: &mut DriverConnection, name: &str) -> Result<bool> {
    let sql = format!("SELECT {}", condition(name));
    Ok(to_bool(driver.run(&sql).await?))
}

/// Returns whether another session holds the lock.
pub(crate) async fn is_used_lock(driver: &mut DriverConnection, name: &str) -> Result<bool> {
    let name = literal(name);
    let sql = format!("SELECT IFNULL(IS_USED_LOCK({name}) <> CONNECTION_ID(), 0)");
    Ok(to_bool(driver.run(&sql).await?))
}

/// Releases the lock.
///
/// # Errors
/// [`ErrorKind::LockLost`] if this session did not hold it.
pub(crate) async fn unlock(driver: &mut DriverConnection, key: &LockKey, name: &str) -> Result<()> {
    let sql = format!("SELECT RELEASE_LOCK({})", literal(name));
    if to_bool(driver.run(&sql).await?) {
        Ok(())
    } else {
        Err(lock_not_held_error(key))
    }
}
