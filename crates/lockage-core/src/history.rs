use crate::{Kind, Version};

/// The state of a migration in the history table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// The migration is applied.
    Applied,
    /// The migration was started outside a transaction and is not finished: another process runs it, or a process died
    /// while it ran it.
    Running,
    /// A statement of the migration failed. The statements before it are committed.
    Failed,
    /// The undo script was started outside a transaction and is not finished.
    Undoing,
    /// The migration was applied and then undone.
    Undone,
    /// A state that a newer version of Lockage wrote.
    Other(String),
}

impl State {
    /// Returns the word in the history table.
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

/// One row of the history table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryRow {
    /// The version in its canonical spelling, so that `V1` and `V001` have the same row. For a repeatable migration, `R:` and
    /// its name.
    pub version: String,
    /// The name of the migration.
    pub name: String,
    /// The kind of the migration.
    pub kind: Kind,
    /// The SHA-256 checksum of the script, in hexadecimal.
    pub checksum: String,
    /// The state of the migration.
    pub state: State,
    /// The time of the last change, by the clock of the server, in UTC and RFC 3339.
    pub applied_at: String,
    /// The client that wrote the row: `user@host pid`.
    pub applied_by: String,
    /// The duration in milliseconds.
    pub duration_ms: u64,
    /// The number of statements that are committed.
    pub statements_done: u32,
    /// The number of statements in the script.
    pub statements_total: u32,
    /// The id of the run that wrote the row.
    pub run_id: String,
    /// The version of Lockage that wrote the row.
    pub tool_version: String,
}

impl HistoryRow {
    /// Creates a row. All further fields are empty or zero; set them after the call.
    pub fn new(
        version: impl Into<String>,
        name: impl Into<String>,
        kind: Kind,
        checksum: impl Into<String>,
        state: State,
    ) -> Self {
        Self {
            version: version.into(),
            name: name.into(),
            kind,
            checksum: checksum.into(),
            state,
            applied_at: String::new(),
            applied_by: String::new(),
            duration_ms: 0,
            statements_done: 0,
            statements_total: 0,
            run_id: String::new(),
            tool_version: String::new(),
        }
    }

    /// Returns the version; `None` for a repeatable migration and for a text that is not a version.
    pub fn parsed_version(&self) -> Option<Version> {
        match self.kind {
            Kind::Repeatable => None,
            _ => self.version.parse().ok(),
        }
    }
}

/// The history of a database: the rows of its history table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct History {
    /// The rows, in no particular order.
    pub rows: Vec<HistoryRow>,
}

impl History {
    /// Creates a history from its rows.
    pub fn new(rows: Vec<HistoryRow>) -> Self {
        Self { rows }
    }
}
