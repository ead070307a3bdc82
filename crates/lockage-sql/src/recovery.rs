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
