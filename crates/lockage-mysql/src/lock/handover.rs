//! Moves locks between two sessions of this client, without a moment at which another session can acquire them.
//!
//! Resetting a session releases its locks. Before it, a relay session takes them over, and after it, the relay returns them. The
//! next owner waits inside the server with `GET_LOCK`, so the server grants it the lock in the same moment in which the other
//! releases it. All other runs try without waiting and cannot come in between.

use std::time::Duration;

use lockage_core::{Error, ErrorKind, Result};
use tokio::time::Instant;

use super::condition;
use crate::dialect::literal;
use crate::driver::{DriverConnection, first_value, to_bool};

/// How long the next owner waits in the server, in seconds.
const GRANT_TIMEOUT_SECS: u32 = 10;

/// How long the next owner may take to appear in the queue of the server.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(8);

const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// A handover that failed.
#[derive(Debug)]
pub(crate) enum HandoverError {
    /// A call of the session that owned the lock failed.
    Owner(Error),
    /// A call of the session that was to own the lock failed.
    Next(Error),
    /// Another session has the lock.
    Lost(Error),
}

/// Hands locks over from `owner` to `next`, one after the other. `next_id` is the number of the session `next`.
pub(crate) async fn hand_over(
    owner: &mut DriverConnection,
    next: &mut DriverConnection,
    next_id: u64,
    names: &[String],
) -> Result<(), HandoverError> {
    for name in names {
        hand_over_one(owner, next, next_id, name).await?;
    }
    let conditions: Vec<String> = names.iter().map(|name| condition(name)).collect();
    let sql = format!("SELECT {}", conditions.join(" AND "));
    let held = next.run(&sql).await;
    match held.map(to_bool) {
        Ok(true) => Ok(()),
        Ok(false) => Err(HandoverError::Lost(lost_error(&names.join("`, `")))),
        Err(failed) => Err(HandoverError::Next(failed.into())),
    }
}

async fn hand_over_one(
    owner: &mut DriverConnection,
    next: &mut DriverConnection,
    next_id: u64,
    name: &str,
) -> Result<(), HandoverError> {
    let get_lock = format!("SELECT GET_LOCK({}, {GRANT_TIMEOUT_SECS})", literal(name));
    let waiting = async {
        let granted = next.run(&get_lock).await;
        granted.map_err(|failed| HandoverError::Next(failed.into()))
    };
    let releasing = async {
        let released = release_when_queued(owner, next_id, name).await;
        released.map_err(HandoverError::Owner)
    };
    // The reply to either can arrive first.
    let (granted, released) = tokio::try_join!(waiting, releasing)?;
    if first_value(granted).as_deref() == Some("1") && released {
        return Ok(());
    }
    Err(HandoverError::Lost(lost_error(name)))
}

/// Releases a lock once another session waits for it. Returns whether the lock was held.
async fn release_when_queued(
    owner: &mut DriverConnection,
    next_id: u64,
    name: &str,
) -> Result<bool> {
    wait_until_queued(owner, next_id).await?;
    let sql = format!("SELECT RELEASE_LOCK({})", literal(name));
    Ok(to_bool(owner.run(&sql).await?))
}

/// Waits until a session waits for a lock. The server shows this state after the session has entered the queue.
async fn wait_until_queued(driver: &mut DriverConnection, id: u64) -> Result<()> {
    let sql = format!(
        "SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = {id} AND STATE = 'User lock'"
    );
    let started_at = Instant::now();
    while !to_bool(driver.run(&sql).await?) {
        if started_at.elapsed() > QUEUE_TIMEOUT {
            return Err(Error::new(
                ErrorKind::SessionLost,
                "the server does not show that the second session waits for the lock",
            ));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(())
}

fn lost_error(name: &str) -> Error {
    Error::new(
        ErrorKind::LockLost,
        format!(
            "another session acquired the lock `{name}` while this session was restored between two migrations"
        ),
    )
    .with_hint("run again; the applied migrations are in the history, and no statement ran after the loss")
}
