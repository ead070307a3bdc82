//! The lock of a database: a file beside it, or a name within the process.

mod file;
mod memory;

use lockage_core::{LockHolder, LockKey, Result};

use crate::address::Address;

/// Every lock that a session holds. Dropping it frees them all.
#[derive(Debug)]
pub(crate) enum Locks {
    File(file::FileLocks),
    Memory(memory::MemoryLocks),
}

impl Locks {
    pub(crate) fn new(address: &Address) -> Self {
        match address {
            Address::File { path, read_only } => {
                Self::File(file::FileLocks::new(path.clone(), *read_only))
            }
            Address::Memory => Self::Memory(memory::MemoryLocks::private()),
            Address::SharedMemory(name) => Self::Memory(memory::MemoryLocks::shared(name.clone())),
        }
    }

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

    /// `false`: it was not held.
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

    /// Writes the migration in hand into the notes of the locks that are held.
    pub(crate) fn note_migration(&mut self, migration: &str) {
        if let Self::File(locks) = self {
            locks.note_migration(migration);
        }
    }
}

/// A key as a part of a file name; frozen.
fn file_name_part(key: &LockKey) -> String {
    use sha2::{Digest, Sha256};
    match (key.as_id(), key.as_name()) {
        (Some(id), _) => id.to_string(),
        (None, name) => {
            let digest = Sha256::digest(name.unwrap_or_default());
            let hex: String = digest[..8]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            format!("n-{hex}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_lock_files_never_change() {
        assert_eq!(file_name_part(&LockKey::default()), "4006");
        assert_eq!(file_name_part(&LockKey::id(-1)), "-1");
        // printf orders | sha256sum
        assert_eq!(
            file_name_part(&LockKey::named("orders").unwrap()),
            "n-1c168adb00d208e4"
        );
    }
}
