//! Ending the session of whoever holds a lock.

use lockage_core::{Error, ErrorKind, LockHolder, Result};

use crate::dialect::literal;
use crate::error;
use crate::wire::Wire;

/// No such session; it is somebody else's; a right is missing.
const GONE: u16 = 1094;
const FORBIDDEN: [u16; 2] = [1095, 1227];

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
