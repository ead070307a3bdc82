//! The trait [`Recovery`]: how a later run continues a script that an earlier run did not finish.

use async_trait::async_trait;
use lockage_core::Result;

use crate::connection::Connection;

/// What an engine knows about statements whose outcome is unknown, and about session state that must survive a reconnect. All
/// methods have defaults: the user decides about the statement, and no state is kept.
///
/// # Cancel safety
/// As for [`Connection`].
#[async_trait]
pub trait Recovery: Connection {
    /// Finds out whether a statement took effect that an earlier run started and did not see the end of.
    ///
    /// `snapshot` is what [`StatementMode::Autocommit`](crate::StatementMode::Autocommit) recorded before the statement.
    async fn resolve(&mut self, _statement: &str, _snapshot: Option<&str>) -> Result<Resolution> {
        Ok(Resolution::Unknown(
            "the engine does not report whether it took effect".into(),
        ))
    }

    /// Returns what a statement leaves in its session that no later session has and that cannot be restored: temporary tables,
    /// the last generated id, cursors, held locks.
    ///
    /// A script is not resumed after a committed statement with such an effect if a later statement depends on it.
    fn session_effects(&self, _statement: &str) -> Vec<SessionEffect> {
        Vec::new()
    }

    /// Returns whether [`session_state`](Self::session_state) must be called after the statements of the current script.
    fn has_session_state(&self) -> bool {
        false
    }

    /// Returns the session state that a later session needs to continue after `statement`, which has just run: user variables,
    /// for example. It is stored in the journal.
    async fn session_state(&mut self, _statement: &str) -> Result<Option<String>> {
        Ok(None)
    }

    /// Restores the session state of an earlier session from the journal.
    async fn restore_session_state(&mut self, _state: &str) -> Result<()> {
        Ok(())
    }
}

/// Something that a statement leaves in its session; see [`Recovery::session_effects`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionEffect {
    /// What it is, for messages: "the temporary table `t`".
    pub description: String,
    /// The words, in upper case, by which a later statement uses it. `None` if every later statement depends on it, as on a held
    /// lock.
    pub used_by: Option<Vec<String>>,
}

impl SessionEffect {
    /// Creates an effect on which statements depend that contain one of `words`, unquoted or as a quoted name.
    pub fn used_by(
        description: impl Into<String>,
        words: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Self {
        let words = words.into_iter();
        Self {
            description: description.into(),
            used_by: Some(words.map(|word| word.as_ref().to_uppercase()).collect()),
        }
    }

    /// Creates an effect on which every later statement depends.
    pub fn used_by_all(description: impl Into<String>) -> Self {
        Self {
            description: description.into(),
            used_by: None,
        }
    }
}

/// The outcome of a statement that an earlier run did not see the end of; see [`Recovery::resolve`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resolution {
    /// It took effect.
    Applied,
    /// It had no effect, or its remains were removed. It may run again.
    NotApplied,
    /// The engine cannot decide. The text describes what it found.
    Unknown(String),
}
