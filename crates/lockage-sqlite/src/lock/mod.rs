//! The lock of a database: a file beside the database, or an entry in a table of the process.

mod file;
mod holder;
mod key;
mod memory;
mod permissions;
mod terminate;

use lockage_core::{LockHolder, LockKey, Result};

pub(crate) use terminate::cannot_terminate_error;

use crate::config::ConnectConfig;

/// All locks that a session holds. Dropping it releases them.
#[derive(Debug)]
pub(crate) enum Locks {
    File(file::FileLocks),
    Memory(memory::MemoryLocks),
}

impl Locks {
    pub(crate) fn new(config: &ConnectConfig) -> Self {
        match config {
            ConnectConfig::File { path, read_only } => {
                Self::File(file::FileLocks::new(path.clone(), *read_only))
            }
            ConnectConfig::Memory => Self::Memory(memory::MemoryLocks::private()),
            ConnectConfig::SharedMemory(name) => {
                Self::Memory(memory::MemoryLocks::shared(name.clone()))
            }
        }
    }

    /// Tries once to acquire a lock; `false` if another session holds it.
    pub(crate) fn try_lock(&mut self, key: &LockKey) -> Result<bool> {
        match self {
            Self::File(locks) => locks.try_lock(key),
            Self::Memory(locks) => Ok(locks.try_lock(key)),
        }
    }

    pub(crate) fn holds(&self, key: &LockKey) -> bool {
        match self {
            Self::File(locks) => locks.holds(key),
            Self::Memory(locks) => locks.holds(key),
        }
    }

    /// Releases a lock; `false` if this session did not hold it.
    pub(crate) fn unlock(&mut self, key: &LockKey) -> bool {
        match self {
            Self::File(locks) => locks.unlock(key),
            Self::Memory(locks) => locks.unlock(key),
        }
    }

    pub(crate) fn holder(&self, key: &LockKey) -> Result<Option<LockHolder>> {
        match self {
            Self::File(locks) => locks.holder(key),
            Self::Memory(locks) => Ok(locks.holder(key)),
        }
    }

    /// Writes the running migration into the lock files that this session holds.
    pub(crate) fn set_migration(&mut self, migration: &str) {
        if let Self::File(locks) = self {
            locks.set_migration(migration);
        }
    }
}
