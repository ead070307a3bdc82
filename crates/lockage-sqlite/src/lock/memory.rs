//! Locks of databases in memory.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lockage_core::{LockHolder, LockKey};

/// The locks that are held in this process: the database's name and the key.
static HELD_LOCKS: Mutex<BTreeSet<(String, LockKey)>> = Mutex::new(BTreeSet::new());

/// The locks of one session.
#[derive(Debug)]
pub(crate) struct MemoryLocks {
    /// `None` for a database that no other session can see.
    name: Option<String>,
    held: BTreeSet<LockKey>,
}

impl MemoryLocks {
    pub(super) fn private() -> Self {
        Self {
            name: None,
            held: BTreeSet::new(),
        }
    }

    pub(super) fn shared(name: String) -> Self {
        Self {
            name: Some(name),
            held: BTreeSet::new(),
        }
    }

    pub(super) fn try_lock(&mut self, key: &LockKey) -> bool {
        let free = self.holds(key)
            || self
                .name
                .as_ref()
                .is_none_or(|name| held_locks().insert((name.clone(), key.clone())));
        if free {
            self.held.insert(key.clone());
        }
        free
    }

    pub(super) fn holds(&self, key: &LockKey) -> bool {
        self.held.contains(key)
    }

    pub(super) fn unlock(&mut self, key: &LockKey) -> bool {
        let held = self.held.remove(key);
        if let Some(name) = self.name.as_ref().filter(|_| held) {
            held_locks().remove(&(name.clone(), key.clone()));
        }
        held
    }

    pub(super) fn holder(&self, key: &LockKey) -> Option<LockHolder> {
        let shared = self
            .name
            .as_ref()
            .is_some_and(|name| held_locks().contains(&(name.clone(), key.clone())));
        (shared || self.holds(key)).then(|| {
            let mut holder = LockHolder::default();
            holder.session = Some(std::process::id().to_string());
            holder.host = Some(lockage_sql::client_host());
            holder
        })
    }
}

impl Drop for MemoryLocks {
    fn drop(&mut self) {
        for key in std::mem::take(&mut self.held) {
            if let Some(name) = &self.name {
                held_locks().remove(&(name.clone(), key));
            }
        }
    }
}

fn held_locks() -> MutexGuard<'static, BTreeSet<(String, LockKey)>> {
    // Each change of the set is one call, so a poisoned set is valid.
    HELD_LOCKS.lock().unwrap_or_else(PoisonError::into_inner)
}
