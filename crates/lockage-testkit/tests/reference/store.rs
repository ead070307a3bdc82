//! The database: a log of committed transactions, with one JSON line each. Every read replays the log.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use lockage_core::{Error, ErrorKind, HistoryRow, Kind, Result, State as RowState};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone)]
pub(crate) struct Store {
    folder: PathBuf,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Change {
    Create(String),
    Insert(String, i64),
    CreateHistory,
    EmptyHistory,
    UpsertRow(Row),
    DeleteRow(String),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    pub(crate) tables: BTreeMap<String, Vec<i64>>,
    pub(crate) history: Option<Vec<Row>>,
}

impl Content {
    /// Applies a change. Fails with the reason if it is not possible.
    pub(crate) fn apply(&mut self, change: &Change) -> std::result::Result<(), String> {
        match change {
            Change::Create(table) if self.tables.contains_key(table) => {
                return Err(format!("the table {table} exists"));
            }
            Change::Create(table) => {
                self.tables.insert(table.clone(), Vec::new());
            }
            Change::Insert(table, n) => self
                .tables
                .get_mut(table)
                .ok_or_else(|| format!("the table {table} does not exist"))?
                .push(*n),
            Change::CreateHistory => {
                self.history.get_or_insert_default();
            }
            Change::EmptyHistory => self.history = Some(Vec::new()),
            Change::UpsertRow(row) => {
                let rows = self.history.as_mut().ok_or("the history does not exist")?;
                rows.retain(|old| old.version != row.version);
                rows.push(row.clone());
            }
            Change::DeleteRow(version) => {
                let rows = self.history.as_mut().ok_or("the history does not exist")?;
                rows.retain(|old| old.version != *version);
            }
        }
        Ok(())
    }

    pub(crate) fn row(&self, version: &str) -> Option<&Row> {
        self.history
            .iter()
            .flatten()
            .find(|row| row.version == version)
    }
}

impl Store {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    pub(crate) fn content(&self) -> Result<Content> {
        let log = match fs::read_to_string(self.log()) {
            Ok(log) => log,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(session_lost(&error)),
        };
        let mut content = Content::default();
        // Another process is writing the last line if it has no end.
        for line in log
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
        {
            let changes: Vec<Change> =
                serde_json::from_str(line).map_err(|error| session_lost(&error))?;
            for change in &changes {
                content.apply(change).map_err(|why| session_lost(&why))?;
            }
        }
        Ok(content)
    }

    /// Commits all changes or none.
    pub(crate) fn commit(&self, changes: &[Change]) -> Result<()> {
        let commit_lock =
            File::create(self.folder.join("commit-lock")).map_err(|error| session_lost(&error))?;
        commit_lock.lock().map_err(|error| session_lost(&error))?;
        let mut content = self.content()?;
        for change in changes {
            content
                .apply(change)
                .map_err(|why| Error::new(ErrorKind::MigrationFailed, why))?;
        }
        let mut line = serde_json::to_vec(changes).map_err(|error| session_lost(&error))?;
        line.push(b'\n');
        let mut log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())
            .map_err(|error| session_lost(&error))?;
        log.write_all(&line).map_err(|error| session_lost(&error))
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log.jsonl")
    }
}

pub(crate) fn session_lost(why: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::SessionLost, why.to_string())
}

/// A [`HistoryRow`] in the log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) version: String,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) checksum: String,
    pub(crate) state: String,
    pub(crate) applied_at: String,
    pub(crate) applied_by: String,
    pub(crate) done: u32,
    pub(crate) total: u32,
    pub(crate) run_id: String,
}

impl From<Row> for HistoryRow {
    fn from(row: Row) -> Self {
        let kind = Kind::from_word(&row.kind).unwrap_or(Kind::Versioned);
        let state = RowState::from(row.state.as_str());
        let mut history_row = Self::new(row.version, row.name, kind, row.checksum, state);
        history_row.applied_at = row.applied_at;
        history_row.applied_by = row.applied_by;
        history_row.statements_done = row.done;
        history_row.statements_total = row.total;
        history_row.run_id = row.run_id;
        history_row.tool_version = "1".into();
        history_row
    }
}
