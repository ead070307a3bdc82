//! Ending the session of whoever holds a lock.

use lockage_core::{Error, ErrorKind, LockHolder, Result};

use super::{Lock, holder};
use crate::error;
use crate::wire::Wire;

/// There is no such session, or none any more.
const GONE: [u32; 2] = [6101, 6106];

/// Has the server end a session, as long as it is still the one that holds the lock.
pub(crate) async fn end(
    wire: &mut Wire,
    lock: &Lock,
    known: &LockHolder,
    babelfish: bool,
) -> Result<()> {
    let session = known.session.as_deref();
    let Some(number) = session.and_then(|session| session.parse::<u32>().ok()) else {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "who holds the lock is not shown to this user",
        )
        .with_hint(
            "with the right VIEW SERVER STATE it is; or an administrator ends the session with KILL",
        ));
    };
    let now = holder(wire, lock, babelfish).await?;
    if now.is_none_or(|now| now.session != known.session || now.since != known.since) {
        return Ok(());
    }
    match wire.run(&format!("KILL {number}")).await {
        Err(broken) if broken.error.code().is_some_and(|code| GONE.contains(&code)) => Ok(()),
        Err(broken) => {
            let cause = error::plain(broken.error);
            let made = Error::new(
                ErrorKind::Unsupported,
                format!("session {number} could not be ended: {}", cause.message()),
            );
            Err(made
                .with_hint(format!(
                    "the user needs the right ALTER ANY CONNECTION; or an administrator runs KILL {number}"
                ))
                .with_source(cause))
        }
        Ok(_) => Ok(()),
    }
}
