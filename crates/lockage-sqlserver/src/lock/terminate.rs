//! Terminates the session that holds an application lock.

use lockage_core::{Error, ErrorKind, LockHolder, Result};

use super::app_lock::AppLock;
use super::holder::find_holder;
use crate::driver::{DriverConnection, QueryError};

/// The session does not exist, or ended meanwhile.
const NO_SUCH_SESSION: [u32; 2] = [6101, 6106];

/// Terminates the session of `holder`, if it still holds the lock.
pub(super) async fn terminate_holder(
    driver: &mut DriverConnection,
    lock: &AppLock,
    holder: &LockHolder,
    is_babelfish: bool,
) -> Result<()> {
    let session = holder.session.as_deref();
    let Some(number) = session.and_then(|session| session.parse::<u32>().ok()) else {
        return Err(hidden_holder_error());
    };
    let current = find_holder(driver, lock, is_babelfish).await?;
    if current.is_none_or(|now| now.session != holder.session || now.since != holder.since) {
        return Ok(());
    }
    match driver.query(&format!("KILL {number}")).await {
        Ok(_) => Ok(()),
        Err(failure)
            if failure
                .number()
                .is_some_and(|number| NO_SUCH_SESSION.contains(&number)) =>
        {
            Ok(())
        }
        Err(failure) => Err(terminate_error(number, failure)),
    }
}

fn hidden_holder_error() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "the server does not show the lock's holder to this user",
    )
    .with_hint(
        "grant VIEW SERVER STATE to the user, or have an administrator end the session with KILL",
    )
}

fn terminate_error(number: u32, failure: QueryError) -> Error {
    let cause = failure.into_error();
    Error::new(
        ErrorKind::Unsupported,
        format!("cannot terminate session {number}: {}", cause.message()),
    )
    .with_hint(format!(
        "grant ALTER ANY CONNECTION to the user, or have an administrator run KILL {number}"
    ))
    .with_source(cause)
}
