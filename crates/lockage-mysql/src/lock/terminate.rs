//! Terminates the session of a lock's holder.

use std::time::Duration;

use lockage_core::{Error, ErrorKind, LockHolder, Result};
use tokio::time::Instant;

use crate::dialect::literal;
use crate::driver::{DriverConnection, to_bool};
use crate::error::NO_SUCH_SESSION;
use crate::server_info::ServerInfo;

/// The session belongs to another account; a privilege is missing.
const ACCESS_DENIED: [u16; 2] = [1095, 1227];

/// How long a terminated session may take to end. It rolls its transaction back first.
const TERMINATE_TIMEOUT: Duration = Duration::from_secs(2);

const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Terminates the session of a holder whose lease expired, with its running statement, and waits until it has ended. Returns `false`
/// if the session still exists.
///
/// `since` is the time at which it acquired the lock.
pub(crate) async fn terminate_expired_holder(
    driver: &mut DriverConnection,
    server: &ServerInfo,
    id: u64,
    since: Option<&str>,
) -> Result<bool> {
    if id == server.connection || !is_same_server_process(driver, server, since).await? {
        return Ok(true);
    }
    let started_at = Instant::now();
    loop {
        server.count_own_kill();
        match driver.execute(&format!("KILL {id}")).await {
            Ok(()) if started_at.elapsed() > TERMINATE_TIMEOUT => return Ok(false),
            Ok(()) => tokio::time::sleep(POLL_INTERVAL).await,
            Err(failed) => match failed.number() {
                Some(NO_SUCH_SESSION) => return Ok(true),
                Some(number) if ACCESS_DENIED.contains(&number) => return Ok(false),
                _ => return Err(failed.into()),
            },
        }
    }
}

/// Returns whether the server has been the same process since the lock was acquired. Another process reuses the numbers of sessions.
async fn is_same_server_process(
    driver: &mut DriverConnection,
    server: &ServerInfo,
    since: Option<&str>,
) -> Result<bool> {
    let Some(since) = since else { return Ok(false) };
    let sql = format!(
        "SELECT TIMESTAMPDIFF(SECOND, '1970-01-01', STR_TO_DATE({}, '%Y-%m-%dT%H:%i:%s.%fZ')) >= {}",
        literal(since),
        server.started_at
    );
    Ok(to_bool(driver.query_sets(&sql).await?))
}

/// Terminates the session of a holder if it still holds the lock `name`.
///
/// # Errors
/// [`ErrorKind::Unsupported`] if this user may not terminate it.
pub(crate) async fn terminate_holder(
    driver: &mut DriverConnection,
    name: &str,
    holder: &LockHolder,
) -> Result<()> {
    let id: Option<u64> = holder
        .session
        .as_deref()
        .and_then(|session| session.parse().ok());
    let Some(id) = id else {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "the session of the holder is unknown",
        ));
    };
    let holds = format!("SELECT COALESCE(IS_USED_LOCK({}) = {id}, 0)", literal(name));
    if !to_bool(driver.run(&holds).await?) {
        return Ok(());
    }
    let Err(failed) = driver.execute(&format!("KILL {id}")).await else {
        return Ok(());
    };
    match failed.number() {
        Some(NO_SUCH_SESSION) => Ok(()),
        Some(number) if ACCESS_DENIED.contains(&number) => Err(Error::new(
            ErrorKind::Unsupported,
            format!("this user may not terminate session {id}: {}", failed.error),
        )
        .with_hint(format!(
            "run KILL {id} as the holder's own account, or as one with CONNECTION_ADMIN (MySQL) or CONNECTION ADMIN (MariaDB)"
        ))),
        _ => Err(failed.into()),
    }
}
