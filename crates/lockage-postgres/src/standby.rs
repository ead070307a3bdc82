//! Detects servers that only replicate another one.

use lockage_core::{Error, ErrorKind, Result, Status};

use crate::dialect::to_bool;

/// An SQL condition that is true on a standby.
pub(crate) const IS_STANDBY_SQL: &str = "pg_catalog.pg_is_in_recovery()";

/// Checks the value of [`IS_STANDBY_SQL`].
///
/// # Errors
/// A temporary [`ErrorKind::Connect`] on a standby, because it may be promoted soon.
pub(crate) fn reject_standby(is_standby: Option<&str>) -> Result<()> {
    if !to_bool(is_standby) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Connect,
        "the server is a standby, which accepts no writes",
    )
    .with_hint("connect to the primary; with several hosts in the URL, target_session_attrs=read-write selects it")
    .with_status(Status::Temporary))
}
