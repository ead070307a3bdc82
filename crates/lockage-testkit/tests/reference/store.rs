//! The database: a log of committed transactions, one JSON line each, replayed whenever somebody looks.

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
    Put(String, i64),
    MakeHistory,
    EmptyHistory,
    PutRow(Row),
    ForgetRow(String),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    pub(crate) tables: BTreeMap<String, Vec<i64>>,
    pub(crate) history: Option<Vec<Row>>,
}

impl Content {
    /// Makes a change, or says why it cannot be made.
    pub(crate) fn change(&mut self, change: &Change) -> std::result::Result<(), String> {
        match change {
            Change::Create(table) if self.tables.contains_key(table) => {
                return Err(format!("there is a table {table}"));
            }
            Change::Create(table) => {
                self.tables.insert(table.clone(), Vec::new());
            }
            Change::Put(table, n) => self
                .tables
                .get_mut(table)
                .ok_or_else(|| format!("there is no table {table}"))?
                .push(*n),
            Change::MakeHistory => {
                self.history.get_or_insert_default();
            }
            Change::EmptyHistory => self.history = Some(Vec::new()),
            Change::PutRow(row) => {
                let rows = self.history.as_mut().ok_or("there is no history")?;
                rows.retain(|old| old.version != row.version);
                rows.push(row.clone());
            }
            Change::ForgetRow(version) => {
                let rows = self.history.as_mut().ok_or("there is no history")?;
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
            Err(error) => return Err(lost(&error)),
        };
        let mut content = Content::default();
        // A line without its end is being written.
        for line in log
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
        {
            let changes: Vec<Change> = serde_json::from_str(line).map_err(|error| lost(&error))?;
            for change in &changes {
                content.change(change).map_err(|why| lost(&why))?;
            }
        }
        Ok(content)
    }

    /// Commits changes, all or none.
    pub(crate) fn commit(&self, changes: &[Change]) -> Result<()> {
        let turn = File::create(self.folder.join("turn")).map_err(|error| lost(&error))?;
        turn.lock().map_err(|error| lost(&error))?;
        let mut content = self.content()?;
        for change in changes {
            content
                .change(change)
                .map_err(|why| Error::new(ErrorKind::MigrationFailed, why))?;
        }
        let mut line = serde_json::to_vec(changes).map_err(|error| lost(&error))?;
        line.push(b'\n');
        let mut log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())
            .map_err(|error| lost(&error))?;
        log.write_all(&line).map_err(|error| lost(&error))
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log.jsonl")
    }
}

pub(crate) fn lost(why: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::SessionLost, why.to_string())
}

/// [`HistoryRow`], as it stands in the log.
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
        Self {
            version: row.version,
            name: row.name,
            kind: Kind::from_word(&row.kind).unwrap_or(Kind::Versioned),
            checksum: row.checksum,
            state: RowState::from(row.state.as_str()),
            applied_at: row.applied_at,
            applied_by: row.applied_by,
            duration_ms: 0,
            statements_done: row.done,
            statements_total: row.total,
            run_id: row.run_id,
            tool_version: "1".into(),
        }
    }
}
