//! The kinds of runs.

use lockage::Outcome;

/// What a run does with migrations. It decides the `outcome` and the name of the list of migrations in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunKind {
    Applied,
    Undone,
    Repaired,
    Baselined,
    #[cfg(feature = "message-store")]
    Rebuilt,
}

impl RunKind {
    /// Returns the outcome of a run that wrote something.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Applied => Outcome::Applied.as_str(),
            Self::Undone => "undone",
            Self::Repaired => "repaired",
            Self::Baselined => "baselined",
            #[cfg(feature = "message-store")]
            Self::Rebuilt => "rebuilt",
        }
    }
}
