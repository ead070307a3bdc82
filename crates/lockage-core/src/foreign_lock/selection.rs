use std::str::FromStr;

use super::Tool;
use crate::{Error, Result};

/// The lock of another migration tool.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForeignLock {
    /// The lock of a known tool with its default settings.
    Tool(Tool),
    /// A lock by the number or name that the engine uses, for an unknown tool or one with other settings.
    Native(String),
}

/// Parses the name of a tool, or `lock:` and the engine's number or name of a lock.
impl FromStr for ForeignLock {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.strip_prefix("lock:") {
            Some(native) if !native.trim().is_empty() => Ok(Self::Native(native.trim().to_owned())),
            _ => text.parse().map(Self::Tool),
        }
    }
}

/// The foreign locks that a run acquires in addition to its own lock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForeignLocks {
    auto: bool,
    selected: Vec<ForeignLock>,
}

impl ForeignLocks {
    /// Selects no foreign lock.
    pub fn none() -> Self {
        Self::default()
    }

    /// Selects the locks of the tools whose tables exist in the database at the start of the run.
    pub fn auto() -> Self {
        Self {
            auto: true,
            selected: Vec::new(),
        }
    }

    /// Adds a lock to the selection.
    #[must_use]
    pub fn with(mut self, lock: ForeignLock) -> Self {
        if !self.selected.contains(&lock) {
            self.selected.push(lock);
        }
        self
    }

    /// Parses words: `auto`, names of tools, and `lock:` with the engine's number or name of a lock.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) for an unknown tool; the hint lists the known ones.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut locks = Self::none();
        for word in words
            .into_iter()
            .map(str::trim)
            .filter(|word| !word.is_empty())
        {
            match word {
                "auto" => locks.auto = true,
                word => locks = locks.with(word.parse()?),
            }
        }
        Ok(locks)
    }

    /// Returns whether tools are detected by their tables.
    pub fn is_auto(&self) -> bool {
        self.auto
    }

    /// Returns the locks that are selected explicitly.
    pub fn iter(&self) -> std::slice::Iter<'_, ForeignLock> {
        self.selected.iter()
    }

    /// Returns whether the run acquires only its own lock.
    pub fn is_empty(&self) -> bool {
        !self.auto && self.selected.is_empty()
    }
}

impl<'a> IntoIterator for &'a ForeignLocks {
    type Item = &'a ForeignLock;
    type IntoIter = std::slice::Iter<'a, ForeignLock>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_locks_are_parsed_from_words() {
        let locks = ForeignLocks::parse(["sqlx", " lock: 42 ", "", "sqlx", "auto"]).unwrap();
        assert!(locks.is_auto() && !locks.is_empty());
        let selected: Vec<_> = locks.iter().cloned().collect();
        assert_eq!(
            selected,
            [
                ForeignLock::Tool(Tool::Sqlx),
                ForeignLock::Native("42".into())
            ]
        );
        assert!(ForeignLocks::parse(["lock:"]).is_err());
        assert!(ForeignLocks::parse([]).unwrap().is_empty());
    }
}
