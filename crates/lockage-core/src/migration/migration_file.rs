use std::fmt;

use super::checksum::Checksum;
use super::directive::Directives;
use super::kind::Kind;
use super::script::{Script, ScriptReader};
use super::version::Version;

/// One migration: the parts of its file name, its directives, and its script.
#[derive(Debug, Clone)]
pub struct Migration {
    pub(super) kind: Kind,
    pub(super) version: Option<Version>,
    pub(super) name: String,
    pub(super) file: String,
    pub(super) checksum: Checksum,
    pub(super) directives: Directives,
    /// Whether the script contains only comments and blank lines.
    pub(super) is_empty: bool,
    pub(super) script: Script,
    /// The version text of the history row, for a migration without a file.
    pub(super) row_key: Option<String>,
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
            is_empty: true,
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

    /// Returns whether the script contains only comments and blank lines.
    pub fn is_empty(&self) -> bool {
        self.is_empty
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
