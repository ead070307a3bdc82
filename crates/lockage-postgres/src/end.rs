//! Ending the session of whoever holds a lock.

use lockage_core::{Error, ErrorKind, LockHolder, LockKey, Result};

use crate::key;
use crate::link::Link;

/// Has the server end the process of a session, as long as it holds the lock.
pub(crate) async fn end(link: &mut Link, key: &LockKey, holder: &LockHolder) -> Result<()> {
    let pid: Option<u32> = holder
        .session
        .as_deref()
        .and_then(|session| session.parse().ok());
    let Some(pid) = pid else {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "the holder of the lock has no process on the server",
        ));
    };
    let end = format!(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_locks WHERE {} AND pid = {pid}",
        key::is_the_lock(key)
    );
    match link.query(&end).await {
        Ok(_) => Ok(()),
        Err(failure) if is_forbidden(&failure.error) => Err(Error::new(
            ErrorKind::Unsupported,
            format!("this user may not end process {pid}: {}", failure.error.message()),
        )
        .with_hint(format!(
            "have a superuser, the holder's own role, or a member of pg_signal_backend run: SELECT pg_terminate_backend({pid})"
        ))
        .with_source(failure.error)),
        Err(failure) => Err(failure.into()),
    }
}

fn is_forbidden(error: &Error) -> bool {
    error
        .context()
        .any(|(key, value)| key == "sqlstate" && value == "42501")
}
