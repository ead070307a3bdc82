//! The table `lockage_journal`: for a migration outside a transaction, which of its statements were begun and which are done. Its
//! rows go when the migration is applied.

use std::collections::BTreeMap;
use std::fmt::Write;

use lockage_core::{Error, ErrorKind, Migration, Result};
use sha2::{Digest, Sha256};

use crate::{Dialect, Row};

/// The name of the table.
pub const TABLE: &str = "lockage_journal";

/// What the journal says of one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// SHA-256 of the statement's text.
    pub(crate) checksum: String,
    /// Whether its end was seen.
    pub(crate) done: bool,
    /// What the schema looked like before it, in the engine's own words.
    pub(crate) before: Option<String>,
    /// What a session must be told to go on behind it, in the engine's own words.
    pub(crate) session: Option<String>,
}

/// Writes the statements of one journal table.
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

    pub(crate) fn create(&self) -> String {
        let Dialect {
            text_type,
            integer_type,
            time_type,
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

    /// True when the journal has nothing to say of a migration; fails where there is no journal.
    pub(crate) fn select(&self, migration: &Migration) -> String {
        format!(
            "SELECT statement, checksum, state, schema_before, session_after FROM {} WHERE {}",
            self.table,
            self.of(migration)
        )
    }

    /// Says of a statement that it is about to run. Where it shares a transaction with this row, the row stays only if the statement
    /// committed something by itself.
    pub(crate) fn start(
        &self,
        migration: &Migration,
        statement: u32,
        text: &str,
        before: Option<&str>,
    ) -> [String; 2] {
        self.row(migration, statement, text, "started", before)
    }

    /// Says of a statement that it ran, where nothing was said before it.
    pub(crate) fn record(&self, migration: &Migration, statement: u32, text: &str) -> [String; 2] {
        self.row(migration, statement, text, "done", None)
    }

    fn row(
        &self,
        migration: &Migration,
        statement: u32,
        text: &str,
        state: &str,
        before: Option<&str>,
    ) -> [String; 2] {
        let literal = self.dialect.literal;
        let values = [
            literal(&migration.key()),
            statement.to_string(),
            literal(&checksum(text)),
            literal(state),
            self.dialect.now.to_owned(),
            before.map_or_else(|| "NULL".to_owned(), literal),
        ];
        let insert = format!(
            "INSERT INTO {} (version, statement, checksum, state, written_at, schema_before) VALUES ({})",
            self.table,
            values.join(", ")
        );
        [self.erase(migration, statement), insert]
    }

    /// Says of a statement that was started that it ran, and what a session must be told to go on behind it.
    pub(crate) fn done(
        &self,
        migration: &Migration,
        statement: u32,
        session: Option<&str>,
    ) -> String {
        let session = session.map_or_else(|| "NULL".to_owned(), self.dialect.literal);
        format!(
            "UPDATE {} SET state = 'done', session_after = {session} WHERE {} AND statement = {statement}",
            self.table,
            self.of(migration)
        )
    }

    /// Takes back that a statement was begun: it failed.
    pub(crate) fn erase(&self, migration: &Migration, statement: u32) -> String {
        format!(
            "DELETE FROM {} WHERE {} AND statement = {statement}",
            self.table,
            self.of(migration)
        )
    }

    /// Says of a statement that it took effect.
    pub(crate) fn settle(&self, migration: &Migration, statement: u32) -> String {
        format!(
            "UPDATE {} SET state = 'done' WHERE {} AND statement = {statement}",
            self.table,
            self.of(migration)
        )
    }

    /// True while the journal does not say that a statement is done.
    pub(crate) fn not_done(&self, migration: &Migration, statement: u32) -> String {
        format!(
            "NOT EXISTS (SELECT 1 FROM {} WHERE {} AND statement = {statement} AND state = 'done')",
            self.table,
            self.of(migration)
        )
    }

    pub(crate) fn clear(&self, migration: &Migration) -> String {
        format!("DELETE FROM {} WHERE {}", self.table, self.of(migration))
    }

    fn of(&self, migration: &Migration) -> String {
        format!("version = {}", (self.dialect.literal)(&migration.key()))
    }
}

/// Reads the rows of [`JournalTable::select`], by the statement's index.
pub(crate) fn parse(rows: Vec<Row>) -> Result<BTreeMap<u32, Line>> {
    let line = |row: Row| {
        let [statement, checksum, state, before, session] =
            <[Option<String>; 5]>::try_from(row).ok()?;
        Some((
            statement?.parse().ok()?,
            Line {
                checksum: checksum?,
                done: state? == "done",
                before,
                session,
            },
        ))
    };
    rows.into_iter()
        .map(|row| {
            line(row).ok_or_else(|| {
                Error::new(
                    ErrorKind::Unexpected,
                    format!("a row of {TABLE} makes no sense"),
                )
            })
        })
        .collect()
}

/// SHA-256 of a statement's text, with CRLF as LF.
pub(crate) fn checksum(text: &str) -> String {
    Sha256::digest(text.replace("\r\n", "\n"))
        .iter()
        .fold(String::new(), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
}
