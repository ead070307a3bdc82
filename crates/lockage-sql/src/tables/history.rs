//! The table `lockage_history`, written once for every engine.

use lockage_core::{Error, ErrorKind, HistoryRow, Kind, LockHolder, Migration, Result, State};

use crate::command::Row;
use crate::dialect::{Clock, Dialect};

/// The name of the table.
pub const TABLE: &str = "lockage_history";

/// The columns in the order in which they are read. A newer version may add columns; these remain.
const COLUMNS: [&str; 12] = [
    "version",
    "name",
    "kind",
    "checksum",
    "state",
    "applied_at",
    "applied_by",
    "duration_ms",
    "statements_done",
    "statements_total",
    "run_id",
    "tool_version",
];

/// Writes the SQL of one history table.
#[derive(Debug)]
pub(crate) struct HistoryTable {
    dialect: &'static Dialect,
    table: String,
    applied_by: String,
    run_id: String,
}

/// The row that a run writes for a migration.
pub(crate) struct HistoryWrite<'a> {
    pub(crate) migration: &'a Migration,
    pub(crate) state: State,
    /// The duration in milliseconds, as SQL.
    pub(crate) duration_ms: String,
    /// How many statements are done, and how many there are.
    pub(crate) statements: (u32, u32),
}

/// Adds the running migration to a holder, from a row of [`HistoryTable::select_running_sql`]. Fields that the engine reported
/// remain.
pub(crate) fn set_running_migration(holder: &mut LockHolder, row: Row) {
    let mut columns = row.into_iter();
    let mut next = || columns.next().flatten();
    let (version, done, total, applied_by, started_at) = (next(), next(), next(), next(), next());
    if holder.migration.is_some() && holder.migration != version {
        return;
    }
    holder.migration = version;
    if let (Some(done), Some(total)) = (done, total) {
        let done = format!("{done} of {total} statements done");
        holder.progress = Some(match holder.progress.take() {
            Some(progress) => format!("{progress}, {done}"),
            None => done,
        });
    }
    // `user@host pid`.
    if let Some((user_at_host, process)) = applied_by.as_deref().and_then(|by| by.rsplit_once(' '))
    {
        let application = format!("lockage, process {process}");
        holder.application.get_or_insert(application);
        let host = user_at_host
            .rsplit_once('@')
            .map(|(_, host)| host.to_owned());
        holder.host = holder.host.take().or(host);
    }
    // The lock was acquired before the migration started, so this is the latest possible time.
    holder.since = holder.since.take().or(started_at);
}

impl HistoryTable {
    pub(crate) fn new(
        dialect: &'static Dialect,
        schema: Option<&str>,
        table: &str,
        applied_by: String,
        run_id: String,
    ) -> Self {
        Self {
            dialect,
            table: dialect.table(schema, table),
            applied_by,
            run_id,
        }
    }

    pub(crate) fn create_sql(&self) -> String {
        let Dialect {
            text_type,
            integer_type,
            clock: Clock { time_type, .. },
            ..
        } = *self.dialect;
        let column = |name: &&str| {
            let definition = match *name {
                "version" => format!("{} NOT NULL PRIMARY KEY", text_type(250)),
                "name" => format!("{} NOT NULL", text_type(250)),
                "applied_by" => format!("{} NOT NULL", text_type(200)),
                "checksum" => format!("{} NOT NULL", text_type(64)),
                "applied_at" => format!("{time_type} NOT NULL"),
                "duration_ms" | "statements_done" | "statements_total" => {
                    format!("{integer_type} NOT NULL")
                }
                _ => format!("{} NOT NULL", text_type(32)),
            };
            format!("{name} {definition}")
        };
        let columns: Vec<_> = COLUMNS.iter().map(column).collect();
        (self.dialect.create_table)(&self.table, &columns.join(", "))
    }

    /// Returns the query that reads all rows; see [`parse`].
    pub(crate) fn select_sql(&self) -> String {
        let column = |name: &&str| match *name {
            "applied_at" => (self.dialect.clock.to_text)(name),
            name => name.to_owned(),
        };
        format!(
            "SELECT {} FROM {}",
            COLUMNS.iter().map(column).collect::<Vec<_>>().join(", "),
            self.table
        )
    }

    /// Returns the query for a migration that a run started and did not finish; see [`set_running_migration`].
    pub(crate) fn select_running_sql(&self) -> String {
        format!(
            "SELECT version, statements_done, statements_total, applied_by, {} FROM {} WHERE state IN ('running', 'undoing')",
            (self.dialect.clock.to_text)("applied_at"),
            self.table
        )
    }

    /// Returns a condition that is true while the history does not record the migration as applied.
    pub(crate) fn not_applied_sql(&self, migration: &Migration) -> String {
        // A repeatable migration is applied again when its checksum changes; its row is replaced.
        let same_checksum = match migration.kind() {
            Kind::Repeatable => format!(
                " AND checksum = {}",
                self.quote(&migration.checksum().to_string())
            ),
            _ => String::new(),
        };
        format!(
            "NOT EXISTS (SELECT 1 FROM {} WHERE {} AND state = 'applied'{same_checksum})",
            self.table,
            self.key_sql(migration)
        )
    }

    /// Returns a condition that is true while no statement of the migration, or of its undo script, is committed by itself.
    pub(crate) fn not_started_sql(&self, migration: &Migration) -> String {
        format!(
            "NOT EXISTS (SELECT 1 FROM {} WHERE {} AND (state IN ('running', 'undoing') \
             OR (state = 'failed' AND statements_done > 0)))",
            self.table,
            self.key_sql(migration)
        )
    }

    /// Returns a condition that is true while the migration is applied, or not completely undone.
    pub(crate) fn applied_sql(&self, migration: &Migration) -> String {
        format!(
            "EXISTS (SELECT 1 FROM {} WHERE {} AND state IN ('applied', 'undoing'))",
            self.table,
            self.key_sql(migration)
        )
    }

    pub(crate) fn delete_sql(&self, migration: &Migration) -> String {
        format!(
            "DELETE FROM {} WHERE {}",
            self.table,
            self.key_sql(migration)
        )
    }

    pub(crate) fn insert_sql(&self, row: &HistoryWrite<'_>) -> String {
        let migration = row.migration;
        let kind = match migration.kind() {
            // The row of an undo script is the row of the version that it undoes.
            Kind::Undo => Kind::Versioned,
            kind => kind,
        };
        let values = [
            self.quote(&migration.key()),
            self.quote(migration.name()),
            self.quote(kind.as_str()),
            self.quote(&migration.checksum().to_string()),
            self.quote(row.state.as_str()),
            self.dialect.clock.now.to_owned(),
            self.quote(&self.applied_by),
            row.duration_ms.clone(),
            row.statements.0.to_string(),
            row.statements.1.to_string(),
            self.quote(&self.run_id),
            self.quote(env!("CARGO_PKG_VERSION")),
        ];
        format!(
            "INSERT INTO {} ({}) VALUES ({})",
            self.table,
            COLUMNS.join(", "),
            values.join(", ")
        )
    }

    /// Returns the SQL that records the progress of a migration outside a transaction.
    pub(crate) fn advance_sql(&self, migration: &Migration, state: &State, done: u32) -> String {
        format!(
            "UPDATE {} SET state = {}, statements_done = {done} WHERE {}",
            self.table,
            self.quote(state.as_str()),
            self.key_sql(migration)
        )
    }

    /// Returns the SQL that replaces the recorded checksum and name with those of the file.
    pub(crate) fn update_checksum_sql(&self, migration: &Migration) -> String {
        format!(
            "UPDATE {} SET checksum = {}, name = {} WHERE {}",
            self.table,
            self.quote(&migration.checksum().to_string()),
            self.quote(migration.name()),
            self.key_sql(migration)
        )
    }

    fn key_sql(&self, migration: &Migration) -> String {
        format!("version = {}", self.quote(&migration.key()))
    }

    fn quote(&self, text: &str) -> String {
        (self.dialect.literal)(text)
    }
}

/// Parses a row of [`HistoryTable::select_sql`].
pub(crate) fn parse(row: Row) -> Result<HistoryRow> {
    let mut columns = row.into_iter().map(Option::unwrap_or_default);
    let mut text = || columns.next().unwrap_or_default();
    let (version, name, kind, checksum, state) = (text(), text(), text(), text(), text());
    let (applied_at, applied_by) = (text(), text());
    let mut number = || {
        let text = text();
        text.parse::<u64>().map_err(|_| {
            Error::new(
                ErrorKind::Unexpected,
                format!("invalid number `{text}` in the history row of version {version}"),
            )
        })
    };
    let (duration_ms, done, total) = (number()?, number()?, number()?);
    let to_u32 = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let parsed_kind = Kind::from_word(&kind);
    let state = match parsed_kind {
        Some(_) => State::from(state.as_str()),
        // A kind that only a newer version knows must not be treated as a versioned migration.
        None => State::Other(format!("{state} {kind}")),
    };
    let kind = parsed_kind.unwrap_or(Kind::Versioned);
    let mut row = HistoryRow::new(version, name, kind, checksum, state);
    row.applied_at = applied_at;
    row.applied_by = applied_by;
    row.duration_ms = duration_ms;
    row.statements_done = to_u32(done);
    row.statements_total = to_u32(total);
    row.run_id = text();
    row.tool_version = text();
    Ok(row)
}
