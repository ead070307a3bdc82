//! Migration files: names, directives, checksums, scripts, and the set of a folder or a program.

mod checksum;
mod directive;
mod file_name;
mod folder;
mod scan;
mod script;
mod set;
mod version;

use std::fmt;

pub use checksum::Checksum;
pub use directive::Directives;
pub use script::{Script, ScriptReader};
pub use set::{EmbeddedFile, MigrationSet};
pub use version::Version;

/// The kind of a migration, which is the first letter of its file name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
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

/// One migration: the parts of its file name, its directives, and its script.
#[derive(Debug, Clone)]
pub struct Migration {
    kind: Kind,
    version: Option<Version>,
    name: String,
    file: String,
    checksum: Checksum,
    directives: Directives,
    script: Script,
    /// The version text of the history row, for a migration without a file.
    row_key: Option<String>,
}

impl Migration {
    /// Creates a migration without a file and without statements.
    ///
    /// `row_key` is the version text of its history row, if that is not the version itself.
    pub(crate) fn without_script(
        kind: Kind,
        version: Option<Version>,
        name: &str,
        row_key: Option<String>,
    ) -> Self {
        Self {
            kind,
            version,
            name: name.to_owned(),
            file: String::new(),
            checksum: Checksum::of(b""),
            directives: Directives::default(),
            script: Script::Text("".into()),
            row_key,
        }
    }

    /// Returns the kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the version; `None` for a repeatable migration.
    pub fn version(&self) -> Option<&Version> {
        self.version.as_ref()
    }

    /// Returns the name, with spaces in place of underscores.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the file name, as messages show it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Returns the checksum of the script.
    pub fn checksum(&self) -> Checksum {
        self.checksum
    }

    /// Returns the directives in the header of the script.
    pub fn directives(&self) -> &Directives {
        &self.directives
    }

    /// Returns the value of the history's `version` column: the version in its canonical spelling, or `R:` and the name.
    pub fn key(&self) -> String {
        match (&self.row_key, &self.version) {
            (Some(key), _) => key.clone(),
            (None, Some(version)) => version.canonical(),
            (None, None) => format!("R:{}", self.name),
        }
    }

    /// Opens the script. The reader fails at the end of the script if the checksum changed since the set was loaded.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidMigration`](crate::ErrorKind::InvalidMigration) if the file cannot be opened.
    pub fn open(&self) -> crate::Result<ScriptReader> {
        self.script.open(&self.file, Some(self.checksum))
    }
}

impl fmt::Display for Migration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.version, &self.row_key) {
            (Some(version), _) => write!(f, "{version} {}", self.name),
            (None, Some(key)) if self.kind != Kind::Repeatable => write!(f, "{key} {}", self.name),
            _ => f.write_str(&self.name),
        }
    }
}
