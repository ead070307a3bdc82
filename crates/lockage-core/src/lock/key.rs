use std::fmt;
use std::str::FromStr;

use crate::foreign_lock::Tool;
use crate::{Error, ErrorKind, Result};

/// The key of a migration lock: an integer id or a readable name. Processes exclude each other if they use the same key.
///
/// The crate of each engine documents how it derives its lock from a key. The derivation never changes, and tests with
/// golden values verify it: processes of different builds must agree.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LockKey(Repr);

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Repr {
    Id(i64),
    Name(String),
    /// The lock of another tool, by the number or name that the engine uses.
    Foreign(Option<Tool>, String),
}

impl LockKey {
    /// The default id: 4006, which is also the id of Wolverine's message database.
    pub const DEFAULT_ID: i64 = 4006;

    /// The maximum length of a name, in characters.
    pub const MAX_NAME: usize = 200;

    /// Creates a key from an integer id.
    pub fn id(id: i64) -> Self {
        Self(Repr::Id(id))
    }

    /// Creates a key from a readable name.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] for a name that is empty, longer than [`MAX_NAME`](Self::MAX_NAME), or contains control
    /// characters.
    pub fn named(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        if name.trim().is_empty()
            || name.chars().count() > Self::MAX_NAME
            || name.chars().any(char::is_control)
        {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                format!("invalid lock name `{}`", name.escape_debug()),
            )
            .with_hint(format!(
                "a lock's name has 1 to {} printable characters",
                Self::MAX_NAME
            )));
        }
        Ok(Self(Repr::Name(name)))
    }

    /// Creates the key of another tool's lock from the number or name that the engine uses. For backends, as the result of
    /// [`foreign_lock_keys`](crate::LockProvider::foreign_lock_keys).
    pub fn foreign(tool: Option<Tool>, native: impl Into<String>) -> Self {
        Self(Repr::Foreign(tool, native.into()))
    }

    /// Returns the number or name that the engine uses, if the key is a foreign lock.
    pub fn as_foreign(&self) -> Option<&str> {
        match &self.0 {
            Repr::Foreign(_, native) => Some(native),
            _ => None,
        }
    }

    /// Returns the tool of a foreign lock, if known.
    pub fn tool(&self) -> Option<Tool> {
        match &self.0 {
            Repr::Foreign(tool, _) => *tool,
            _ => None,
        }
    }

    /// Returns the integer id, if the key has one.
    pub fn as_id(&self) -> Option<i64> {
        match &self.0 {
            Repr::Id(id) => Some(*id),
            _ => None,
        }
    }

    /// Returns the name, if the key has one.
    pub fn as_name(&self) -> Option<&str> {
        match &self.0 {
            Repr::Name(name) => Some(name),
            _ => None,
        }
    }
}

impl Default for LockKey {
    fn default() -> Self {
        Self::id(Self::DEFAULT_ID)
    }
}

/// Prints the id in decimal, or the name; for a foreign lock also the tool.
impl fmt::Display for LockKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Id(id) => write!(f, "{id}"),
            Repr::Name(name) => f.write_str(name),
            Repr::Foreign(Some(tool), native) => write!(f, "{native} of {tool}"),
            Repr::Foreign(None, native) => f.write_str(native),
        }
    }
}

/// Parses an integer as an id and everything else as a name.
impl FromStr for LockKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.parse() {
            Ok(id) => Ok(Self::id(id)),
            Err(_) => Self::named(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_id_or_name() {
        assert_eq!(LockKey::default().to_string(), "4006");
        assert_eq!("4004".parse::<LockKey>().unwrap(), LockKey::id(4004));
        assert_eq!(
            "orders".parse::<LockKey>().unwrap().as_name(),
            Some("orders")
        );
        for invalid in [String::new(), " ".into(), "a\nb".into(), "x".repeat(201)] {
            assert_eq!(
                LockKey::named(invalid).unwrap_err().kind(),
                ErrorKind::InvalidConfig
            );
        }
    }
}
