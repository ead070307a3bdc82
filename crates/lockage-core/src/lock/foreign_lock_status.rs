use super::{LockHolder, LockKey};
use crate::foreign_lock::Tool;
use crate::{Error, Result};

/// The foreign locks that a session resolved from a selection.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ResolvedForeignLocks {
    /// The keys of the locks that can be acquired.
    pub keys: Vec<LockKey>,
    /// The tools that were detected in the database and whose locks cannot be acquired, with the reason.
    pub unavailable: Vec<(Tool, Error)>,
}

/// One foreign lock of a database, for `lockage lock status`.
#[derive(Debug)]
#[non_exhaustive]
pub struct ForeignLockStatus {
    /// The tool; `None` if the lock was selected by its native number or name.
    pub tool: Option<Tool>,
    /// The key of the lock, or the reason why it cannot be acquired.
    pub lock: Result<LockKey>,
    /// Whether a run of this runner acquires it.
    pub acquired_by_run: bool,
    /// The holder; `None` if the lock is free.
    pub holder: Option<LockHolder>,
}

impl ForeignLockStatus {
    pub(crate) fn available(
        key: LockKey,
        acquired_by_run: bool,
        holder: Option<LockHolder>,
    ) -> Self {
        Self {
            tool: key.tool(),
            lock: Ok(key),
            acquired_by_run,
            holder,
        }
    }

    pub(crate) fn unavailable(tool: Tool, reason: Error) -> Self {
        Self {
            tool: Some(tool),
            lock: Err(reason),
            acquired_by_run: false,
            holder: None,
        }
    }
}
