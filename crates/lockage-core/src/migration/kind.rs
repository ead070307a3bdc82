use std::fmt;

/// The kind of a migration, which is the first letter of its file name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// `V`: applied once, in the order of the versions.
    Versioned,
    /// `R`: applied whenever its checksum changes, after the versioned migrations.
    Repeatable,
    /// `B`: applied to a new database in place of all versions up to its own.
    Baseline,
    /// `U`: undoes the versioned migration of the same version.
    Undo,
}

impl Kind {
    /// Returns the word in the history table and in outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Versioned => "versioned",
            Self::Repeatable => "repeatable",
            Self::Baseline => "baseline",
            Self::Undo => "undo",
        }
    }

    /// Returns the kind for a word of the history table.
    pub fn from_word(word: &str) -> Option<Self> {
        [
            Self::Versioned,
            Self::Repeatable,
            Self::Baseline,
            Self::Undo,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
