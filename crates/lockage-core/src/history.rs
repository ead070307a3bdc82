use crate::{Kind, Version};

/// What the history says of one migration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It is applied.
    Applied,
    /// It was begun, outside a transaction, and is not finished: somebody runs it now, or died while running it.
    Running,
    /// A statement of it failed; the statements before that are committed.
    Failed,
    /// Its undo script was begun, outside a transaction, and is not finished.
    Undoing,
    /// It was applied and then undone.
    Undone,
    /// A state that a newer Lockage wrote.
    Other(String),
}

impl State {
    /// The word in the history table.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Applied => "applied",
            Self::Running => "running",
            Self::Failed => "failed",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
            Self::Other(word) => word,
        }
    }
}

impl From<&str> for State {
    fn from(word: &str) -> Self {
        match word {
            "applied" => Self::Applied,
            "running" => Self::Running,
            "failed" => Self::Failed,
            "undoing" => Self::Undoing,
            "undone" => Self::Undone,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// One row of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRow {
    /// The version in its canonical spelling, so that `V1` and `V001` have one row; for a repeatable migration `R:` and its name.
    pub version: String,
    /// The migration's name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// SHA-256 of the script, in hexadecimal.
    pub checksum: String,
    /// What became of it.
    pub state: State,
    /// When, in UTC, as RFC 3339 with the server's clock.
    pub applied_at: String,
    /// By whom: `user@host pid`.
    pub applied_by: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// How many statements are committed.
    pub statements_done: u32,
    /// How many statements the script has.
    pub statements_total: u32,
    /// The run that wrote the row.
    pub run_id: String,
    /// The version of Lockage that wrote the row.
    pub tool_version: String,
}

impl HistoryRow {
    /// The version to compare by; `None` for a repeatable migration, or where a text is no version.
    pub fn parsed_version(&self) -> Option<Version> {
        match self.kind {
            Kind::Repeatable => None,
            _ => self.version.parse().ok(),
        }
    }
}

/// What a database remembers of its migrations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The rows, in no particular order.
    pub rows: Vec<HistoryRow>,
}
