use std::fmt;
use std::str::FromStr;

use super::Tool;
use crate::{Error, ErrorKind, Result};

/// What a run locks: an integer id, or a readable name. Every process that is to exclude every other must use the same key.
///
/// How a key becomes the lock of an engine is documented in that engine's crate, frozen and held by golden-value tests: a key is a
/// contract between processes of different builds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LockKey(Repr);

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Repr {
    Id(i64),
    Name(String),
    /// Of a neighbour, by the engine's own number or name.
    Foreign(Option<Tool>, String),
}

impl LockKey {
    /// The id that is used when nothing else is said: 4006, shared with Wolverine's message database.
    pub const DEFAULT_ID: i64 = 4006;

    /// The longest name, in characters.
    pub const MAX_NAME: usize = 200;

    /// A key by its integer id.
    pub fn id(id: i64) -> Self {
        Self(Repr::Id(id))
    }

    /// A key by a readable name.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] for a name that is empty, longer than [`MAX_NAME`](Self::MAX_NAME), or holds control
    /// characters.
    pub fn named(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        if name.trim().is_empty()
            || name.chars().count() > Self::MAX_NAME
            || name.chars().any(char::is_control)
        {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                format!("`{}` is no name for a lock", name.escape_debug()),
            )
            .with_hint(format!(
                "a lock's name has 1 to {} printable characters",
                Self::MAX_NAME
            )));
        }
        Ok(Self(Repr::Name(name)))
    }

    /// The lock of a neighbour, by the number or name that the engine itself knows it by: what a backend answers when it is asked for
    /// [`foreign_lock_keys`](crate::LockProvider::foreign_lock_keys).
    pub fn foreign(tool: Option<Tool>, native: impl Into<String>) -> Self {
        Self(Repr::Foreign(tool, native.into()))
    }

    /// The engine's own number or name, where the key is a neighbour's.
    pub fn as_foreign(&self) -> Option<&str> {
        match &self.0 {
            Repr::Foreign(_, native) => Some(native),
            _ => None,
        }
    }

    /// The neighbour whose lock it is, where that is known.
    pub fn tool(&self) -> Option<Tool> {
        match &self.0 {
            Repr::Foreign(tool, _) => *tool,
            _ => None,
        }
    }

    /// The integer id, where the key has one.
    pub fn as_id(&self) -> Option<i64> {
        match &self.0 {
            Repr::Id(id) => Some(*id),
            _ => None,
        }
    }

    /// The name, where the key has one.
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

/// The id in decimal, or the name; with the tool where it is a neighbour's.
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

/// A whole number is an id, anything else a name.
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
    fn keys_are_ids_or_names() {
        assert_eq!(LockKey::default().to_string(), "4006");
        assert_eq!("4004".parse::<LockKey>().unwrap(), LockKey::id(4004));
        assert_eq!(
            "orders".parse::<LockKey>().unwrap().as_name(),
            Some("orders")
        );
        for wrong in [String::new(), " ".into(), "a\nb".into(), "x".repeat(201)] {
            assert_eq!(
                LockKey::named(wrong).unwrap_err().kind(),
                ErrorKind::InvalidConfig
            );
        }
    }
}
