//! The table `lockage_journal`: which statements of a migration outside a transaction were started and which are done. Its rows
//! are deleted when the migration is applied.

use std::collections::BTreeMap;
use std::fmt::Write;

use lockage_core::{Error, ErrorKind, Migration, Result};
use sha2::{Digest, Sha256};

use crate::command::Row;
use crate::dialect::{Clock, Dialect};

/// The name of the table.
pub const TABLE: &str = "lockage_journal";

/// The journal row of one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JournalRow {
    /// SHA-256 of the statement's text.
    pub(crate) checksum: String,
    /// Whether the statement is known to be committed. Otherwise it was started and its outcome is unknown.
    pub(crate) done: bool,
    /// The schema before the statement, in the engine's own format.
    pub(crate) snapshot: Option<String>,
    /// The session state after the statement, in the engine's own format.
    pub(crate) session_state: Option<String>,
}

/// Writes the SQL of one journal table.
#[derive(Debug)]
pub(crate) struct JournalTable {
    dialect: &'static Dialect,
    table: String,
}

impl JournalTable {
    pub(crate) fn new(dialect: &'static Dialect, schema: Option<&str>, table: &str) -> Self {
        Self {
            dialect,
            table: dialect.table(schema, table),
        }
    }

    pub(crate) fn create_sql(&self) -> String {
        let Dialect {
            text_type,
            integer_type,
            clock: Clock { time_type, .. },
            ..
        } = *self.dialect;
        let columns = format!(
            "version {} NOT NULL, statement {integer_type} NOT NULL, checksum {} NOT NULL, \
             state {} NOT NULL, written_at {time_type} NOT NULL, schema_before {long}, session_after {long}, \
             PRIMARY KEY (version, statement)",
            text_type(250),
            text_type(64),
            text_type(32),
            long = text_type(u16::MAX),
        );
        (self.dialect.create_table)(&self.table, &columns)
    }

    /// Returns the query that reads the journal rows of a migration; see [`parse`].
    pub(crate) fn select_sql(&self, migration: &Migration) -> String {
        format!(
            "SELECT statement, checksum, state, schema_before, session_after FROM {} WHERE {}",
            self.table,
            self.key_sql(migration)
        )
    }

    /// Returns the SQL that records a statement as started.
    ///
    /// Where the row shares a transaction with its statement, the row persists only if the statement commits by itself.
    pub(crate) fn insert_started_sql(
        &self,
        migration: &Migration,
        statement: u32,
        text: &str,
        snapshot: Option<&str>,
    ) -> [String; 2] {
        self.insert_sql(migration, statement, text, "started", snapshot)
    }

    /// Returns the SQL that records a statement as done, if it was not recorded as started.
    pub(crate) fn insert_done_sql(
        &self,
        migration: &Migration,
        statement: u32,
        text: &str,
    ) -> [String; 2] {
        self.insert_sql(migration, statement, text, "done", None)
    }

    fn insert_sql(
        &self,
        migration: &Migration,
        statement: u32,
        text: &str,
        state: &str,
        snapshot: Option<&str>,
    ) -> [String; 2] {
        let literal = self.dialect.literal;
        let values = [
            literal(&migration.key()),
            statement.to_string(),
            literal(&checksum(text)),
            literal(state),
            self.dialect.clock.now.to_owned(),
            snapshot.map_or_else(|| "NULL".to_owned(), literal),
        ];
        let insert = format!(
            "INSERT INTO {} (version, statement, checksum, state, written_at, schema_before) VALUES ({})",
            self.table,
            values.join(", ")
        );
        [self.delete_sql(migration, statement), insert]
    }

    /// Returns the SQL that marks a started statement as done and stores the session state after it.
    pub(crate) fn mark_done_sql(
        &self,
        migration: &Migration,
        statement: u32,
        session_state: Option<&str>,
    ) -> String {
        let state = session_state.map_or_else(|| "NULL".to_owned(), self.dialect.literal);
        format!(
            "UPDATE {} SET state = 'done', session_after = {state} WHERE {} AND statement = {statement}",
            self.table,
            self.key_sql(migration)
        )
    }

    /// Returns the SQL that deletes the row of a statement that failed.
    pub(crate) fn delete_sql(&self, migration: &Migration, statement: u32) -> String {
        format!(
            "DELETE FROM {} WHERE {} AND statement = {statement}",
            self.table,
            self.key_sql(migration)
        )
    }

    /// Returns the SQL that resolves an in-doubt statement as applied.
    pub(crate) fn resolve_applied_sql(&self, migration: &Migration, statement: u32) -> String {
        format!(
            "UPDATE {} SET state = 'done' WHERE {} AND statement = {statement}",
            self.table,
            self.key_sql(migration)
        )
    }

    /// Returns a condition that is true while the journal does not record a statement as done.
    pub(crate) fn not_done_sql(&self, migration: &Migration, statement: u32) -> String {
        format!(
            "NOT EXISTS (SELECT 1 FROM {} WHERE {} AND statement = {statement} AND state = 'done')",
            self.table,
            self.key_sql(migration)
        )
    }

    /// Returns the SQL that deletes all rows of a migration.
    pub(crate) fn clear_sql(&self, migration: &Migration) -> String {
        format!(
            "DELETE FROM {} WHERE {}",
            self.table,
            self.key_sql(migration)
        )
    }

    fn key_sql(&self, migration: &Migration) -> String {
        format!("version = {}", (self.dialect.literal)(&migration.key()))
    }
}

/// Parses the rows of [`JournalTable::select_sql`], by the statement's index.
pub(crate) fn parse(rows: Vec<Row>) -> Result<BTreeMap<u32, JournalRow>> {
    let parse_row = |row: Row| {
        let [statement, checksum, state, snapshot, session_state] =
            <[Option<String>; 5]>::try_from(row).ok()?;
        let row = JournalRow {
            checksum: checksum?,
            done: state? == "done",
            snapshot,
            session_state,
        };
        Some((statement?.parse().ok()?, row))
    };
    rows.into_iter()
        .map(|row| {
            parse_row(row)
                .ok_or_else(|| Error::new(ErrorKind::Unexpected, format!("invalid row in {TABLE}")))
        })
        .collect()
}

/// Returns the SHA-256 of a statement's text, after CRLF was replaced with LF.
pub(crate) fn checksum(text: &str) -> String {
    Sha256::digest(text.replace("\r\n", "\n"))
        .iter()
        .fold(String::new(), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
}
