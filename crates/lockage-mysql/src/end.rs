//! Ending the session of whoever holds a lock.

use std::time::Duration;

use lockage_core::{Error, ErrorKind, LockHolder, Result};

use crate::dialect::literal;
use crate::error;
use crate::facts::Facts;
use crate::wire::Wire;
use tokio::time::Instant;

/// No such session; it is somebody else's; a right is missing.
const GONE: u16 = 1094;
const FORBIDDEN: [u16; 2] = [1095, 1227];

/// How long a session that is to end may take to do so: what it had begun is taken back first.
const PATIENCE: Duration = Duration::from_secs(2);

/// Ends the session of a holder whose lease ran out, whatever it has in hand, and waits until it is gone; `false` where it stays.
pub(crate) async fn end_vanished(
    wire: &mut Wire,
    facts: &Facts,
    id: u64,
    since: Option<&str>,
) -> Result<bool> {
    if id == facts.connection || !stood(wire, facts, since).await? {
        return Ok(true);
    }
    let begun = Instant::now();
    loop {
        facts.note_kill();
        match wire.execute(&format!("KILL {id}")).await {
            Ok(()) if begun.elapsed() > PATIENCE => return Ok(false),
            Ok(()) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(error) => match error::number(&error) {
                Some(GONE) => return Ok(true),
                Some(number) if FORBIDDEN.contains(&number) => return Ok(false),
                _ => return Err(error::plain(error)),
            },
        }
    }
}

/// Whether the server has been the same process since the lock was taken: another one gives the numbers of its sessions again.
async fn stood(wire: &mut Wire, facts: &Facts, since: Option<&str>) -> Result<bool> {
    let Some(since) = since else { return Ok(false) };
    let sql = format!(
        "SELECT TIMESTAMPDIFF(SECOND, '1970-01-01', STR_TO_DATE({}, '%Y-%m-%dT%H:%i:%s.%fZ')) >= {}",
        literal(since),
        facts.started
    );
    let sets = wire
        .ask(&sql)
        .await
        .map_err(|broken| error::plain(broken.error))?;
    let first = sets.into_iter().flatten().flatten().next().flatten();
    Ok(first.as_deref() == Some("1"))
}

/// Has the server end a session, as long as it holds the lock of a name.
pub(crate) async fn end(wire: &mut Wire, name: &str, holder: &LockHolder) -> Result<()> {
    let id: Option<u64> = holder
        .session
        .as_deref()
        .and_then(|session| session.parse().ok());
    let Some(id) = id else {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "the holder of the lock has no session on the server",
        ));
    };
    let holds = format!("SELECT COALESCE(IS_USED_LOCK({}) = {id}, 0)", literal(name));
    let sets = wire
        .run(&holds)
        .await
        .map_err(|broken| error::plain(broken.error))?;
    let first = sets.into_iter().flatten().flatten().next().flatten();
    if first.as_deref() != Some("1") {
        return Ok(());
    }
    match wire.execute(&format!("KILL {id}")).await {
        Ok(()) => Ok(()),
        Err(error) => match error::number(&error) {
            Some(GONE) => Ok(()),
            Some(number) if FORBIDDEN.contains(&number) => Err(Error::new(
                ErrorKind::Unsupported,
                format!("this user may not end session {id}: {error}"),
            )
            .with_hint(format!(
                "have the holder's own account, or one with CONNECTION_ADMIN (MySQL) or CONNECTION ADMIN (MariaDB), run: KILL {id}"
            ))),
            _ => Err(error::plain(error)),
        },
    }
}
