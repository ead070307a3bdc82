//! The refusal to terminate the holder of a lock.

use lockage_core::{Error, ErrorKind, LockHolder};

/// Returns the error that names the process that holds the lock.
pub(crate) fn cannot_terminate_error(holder: &LockHolder) -> Error {
    let process = holder.session.as_deref().unwrap_or("of an unknown number");
    let host = holder.host.as_deref().unwrap_or("an unknown host");
    let message = format!(
        "SQLite has no server that could terminate a session: process {process} on {host} holds the lock"
    );
    Error::new(ErrorKind::Unsupported, message)
        .with_hint("kill that process; the operating system then releases the lock immediately")
}
