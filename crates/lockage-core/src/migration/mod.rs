//! Migration files: names, directives, checksums, and the set that a folder or a program holds.

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

/// What a migration file is for; its first letter says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `V`: once, in the order of the versions.
    Versioned,
    /// `R`: again whenever its checksum changes, after the versioned ones.
    Repeatable,
    /// `B`: where a fresh database starts, in place of all versions up to its own.
    Baseline,
    /// `U`: takes the versioned migration of the same version back.
    Undo,
}

impl Kind {
    /// The word in the history table and in outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Versioned => "versioned",
            Self::Repeatable => "repeatable",
            Self::Baseline => "baseline",
            Self::Undo => "undo",
        }
    }

    /// The kind of a word in the history table.
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

/// One migration: what its file's name and head say, and where its script is.
#[derive(Debug, Clone)]
pub struct Migration {
    kind: Kind,
    version: Option<Version>,
    name: String,
    file: String,
    checksum: Checksum,
    directives: Directives,
    script: Script,
    /// What a row has for its version, where there is no file.
    row_key: Option<String>,
}

impl Migration {
    /// A migration that only the history knows; its key is what stands there, whether it is a version or not.
    pub(crate) fn of_row(row: &crate::HistoryRow) -> Self {
        Self {
            row_key: Some(row.version.clone()),
            ..Self::without_file(row.kind, row.parsed_version(), &row.name)
        }
    }

    /// A migration that has no file: one that only the history knows, or a mark in it.
    pub(crate) fn without_file(kind: Kind, version: Option<Version>, name: &str) -> Self {
        Self {
            kind,
            version,
            name: name.to_owned(),
            file: String::new(),
            checksum: Checksum::of(b""),
            directives: Directives::default(),
            script: Script::Text("".into()),
            row_key: None,
        }
    }

    /// What it is for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its version; `None` for a repeatable one.
    pub fn version(&self) -> Option<&Version> {
        self.version.as_ref()
    }

    /// Its name, with spaces for underscores.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its file, as messages show it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// SHA-256 of the script.
    pub fn checksum(&self) -> Checksum {
        self.checksum
    }

    /// What the comment lines at its head ask for.
    pub fn directives(&self) -> &Directives {
        &self.directives
    }

    /// What stands in the `version` column of the history: the version in its canonical spelling, or `R:` and the name.
    pub fn key(&self) -> String {
        match (&self.row_key, &self.version) {
            (Some(key), _) => key.clone(),
            (None, Some(version)) => version.canonical(),
            (None, None) => format!("R:{}", self.name),
        }
    }

    /// Opens the script. The reader fails at its end when the script is no longer the one that was checked.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidMigration`](crate::ErrorKind::InvalidMigration) when the file cannot be opened.
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
