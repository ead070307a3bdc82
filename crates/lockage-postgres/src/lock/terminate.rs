//! Terminates the session that holds a lock.

use lockage_core::{Error, ErrorKind, LockHolder, LockKey, Result};

use super::key::matches_lock_sql;
use crate::driver::DriverConnection;
use crate::error;

/// Terminates the server process of a session, if it still holds the lock.
pub(crate) async fn terminate_session(
    driver: &mut DriverConnection,
    key: &LockKey,
    holder: &LockHolder,
) -> Result<()> {
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
    let terminate = format!(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_locks WHERE {} AND pid = {pid}",
        matches_lock_sql(key, "")
    );
    match driver.query(&terminate).await {
        Ok(_) => Ok(()),
        // insufficient_privilege
        Err(failure) if error::sqlstate(&failure.error) == Some("42501") => Err(Error::new(
            ErrorKind::Unsupported,
            format!("the user has no privilege to terminate process {pid}: {}", failure.error.message()),
        )
        .with_hint(format!(
            "run as a superuser, as the role of the holder, or as a member of pg_signal_backend: SELECT pg_terminate_backend({pid})"
        ))
        .with_source(failure.error)),
        Err(failure) => Err(failure.into()),
    }
}
