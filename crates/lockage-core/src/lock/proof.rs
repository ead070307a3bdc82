use super::LockKey;

/// The proof that a session holds its lock. Every method that writes requires one, and only
/// [`Locked`](crate::Locked) has one.
#[derive(Debug)]
pub struct LockProof {
    key: LockKey,
    foreign_keys: Vec<LockKey>,
}

impl LockProof {
    pub(crate) fn new(key: LockKey, foreign_keys: Vec<LockKey>) -> Self {
        Self { key, foreign_keys }
    }

    /// Returns the key of the lock.
    pub fn key(&self) -> &LockKey {
        &self.key
    }

    /// Returns the keys of the foreign locks that were acquired with it. A method that writes checks them, too.
    pub fn foreign_keys(&self) -> &[LockKey] {
        &self.foreign_keys
    }
}
