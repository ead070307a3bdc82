//! The table `lockage_history`, written once for every engine.

use lockage_core::{Error, ErrorKind, HistoryRow, Kind, LockHolder, Migration, Result, State};

use crate::{Dialect, Row};

/// The name of the table.
pub const TABLE: &str = "lockage_history";

/// The columns, in the order in which they are read. A newer Lockage may add columns; these stay.
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

/// Writes the statements of one history table.
#[derive(Debug)]
pub(crate) struct HistoryTable {
    dialect: &'static Dialect,
    table: String,
    applied_by: String,
    run_id: String,
}

/// What a run writes about a migration.
pub(crate) struct Entry<'a> {
    pub(crate) migration: &'a Migration,
    pub(crate) state: State,
    /// Milliseconds, as SQL.
    pub(crate) duration_ms: String,
    pub(crate) statements: (u32, u32),
}

/// Adds to a holder what a row of [`HistoryTable::select_running`] tells, where the engine does not.
pub(crate) fn tell_running(holder: &mut LockHolder, row: Row) {
    let mut columns = row.into_iter();
    let mut next = || columns.next().flatten();
    let (version, done, total, by, begun) = (next(), next(), next(), next(), next());
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
    if let Some((place, process)) = by.as_deref().and_then(|by| by.rsplit_once(' ')) {
        let application = format!("lockage, process {process}");
        holder.application.get_or_insert(application);
        let host = place.rsplit_once('@').map(|(_, host)| host.to_owned());
        holder.host = holder.host.take().or(host);
    }
    // It holds the lock since then at the least.
    holder.since = holder.since.take().or(begun);
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

    pub(crate) fn create(&self) -> String {
        let Dialect {
            text_type,
            integer_type,
            time_type,
            ..
        } = *self.dialect;
        let column = |name: &&str| {
            let kind = match *name {
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
            format!("{name} {kind}")
        };
        let columns: Vec<_> = COLUMNS.iter().map(column).collect();
        (self.dialect.create_table)(&self.table, &columns.join(", "))
    }

    pub(crate) fn select(&self) -> String {
        let column = |name: &&str| match *name {
            "applied_at" => (self.dialect.time_text)(name),
            name => name.to_owned(),
        };
        format!(
            "SELECT {} FROM {}",
            COLUMNS.iter().map(column).collect::<Vec<_>>().join(", "),
            self.table
        )
    }

    /// The migration that a run has begun and not finished; see [`tell_running`].
    pub(crate) fn select_running(&self) -> String {
        format!(
            "SELECT version, statements_done, statements_total, applied_by, {} FROM {} WHERE state IN ('running', 'undoing')",
            (self.dialect.time_text)("applied_at"),
            self.table
        )
    }

    /// True while the history does not say that the migration is applied.
    pub(crate) fn not_applied(&self, migration: &Migration) -> String {
        // A repeatable migration is applied again; its row is replaced.
        let again = match migration.kind() {
            Kind::Repeatable => format!(
                " AND checksum = {}",
                self.literal(&migration.checksum().to_string())
            ),
            _ => String::new(),
        };
        format!(
            "NOT EXISTS (SELECT 1 FROM {} WHERE {} AND state = 'applied'{again})",
            self.table,
            self.is(migration)
        )
    }

    /// True while no part of the migration, or of its undo, is committed by itself.
    pub(crate) fn not_begun(&self, migration: &Migration) -> String {
        format!(
            "NOT EXISTS (SELECT 1 FROM {} WHERE {} AND (state IN ('running', 'undoing') \
             OR (state = 'failed' AND statements_done > 0)))",
            self.table,
            self.is(migration)
        )
    }

    /// True while the history says that the migration is applied, or not yet wholly undone.
    pub(crate) fn is_applied(&self, migration: &Migration) -> String {
        format!(
            "EXISTS (SELECT 1 FROM {} WHERE {} AND state IN ('applied', 'undoing'))",
            self.table,
            self.is(migration)
        )
    }

    /// Removes the row.
    pub(crate) fn delete(&self, migration: &Migration) -> String {
        format!("DELETE FROM {} WHERE {}", self.table, self.is(migration))
    }

    pub(crate) fn insert(&self, entry: &Entry<'_>) -> String {
        let migration = entry.migration;
        let kind = match migration.kind() {
            // An undo script speaks of the version that it undoes.
            Kind::Undo => Kind::Versioned,
            kind => kind,
        };
        let values = [
            self.literal(&migration.key()),
            self.literal(migration.name()),
            self.literal(kind.as_str()),
            self.literal(&migration.checksum().to_string()),
            self.literal(entry.state.as_str()),
            self.dialect.now.to_owned(),
            self.literal(&self.applied_by),
            entry.duration_ms.clone(),
            entry.statements.0.to_string(),
            entry.statements.1.to_string(),
            self.literal(&self.run_id),
            self.literal(env!("CARGO_PKG_VERSION")),
        ];
        format!(
            "INSERT INTO {} ({}) VALUES ({})",
            self.table,
            COLUMNS.join(", "),
            values.join(", ")
        )
    }

    /// Says how far a migration outside a transaction has come.
    pub(crate) fn advance(&self, migration: &Migration, state: &State, done: u32) -> String {
        format!(
            "UPDATE {} SET state = {}, statements_done = {done} WHERE {}",
            self.table,
            self.literal(state.as_str()),
            self.is(migration)
        )
    }

    /// Takes the file as it is now for what was applied.
    pub(crate) fn accept(&self, migration: &Migration) -> String {
        format!(
            "UPDATE {} SET checksum = {}, name = {} WHERE {}",
            self.table,
            self.literal(&migration.checksum().to_string()),
            self.literal(migration.name()),
            self.is(migration)
        )
    }

    fn is(&self, migration: &Migration) -> String {
        format!("version = {}", self.literal(&migration.key()))
    }

    fn literal(&self, text: &str) -> String {
        (self.dialect.literal)(text)
    }
}

/// Reads a row of [`HistoryTable::select`].
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
                format!("`{text}` in the history's row of version {version} is not a number"),
            )
        })
    };
    let (duration_ms, done, total) = (number()?, number()?, number()?);
    let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let parsed_kind = Kind::from_word(&kind);
    Ok(HistoryRow {
        name,
        checksum,
        // A kind that only a newer Lockage knows must not pass for a versioned migration.
        state: if parsed_kind.is_some() {
            State::from(state.as_str())
        } else {
            State::Other(format!("{state} {kind}"))
        },
        kind: parsed_kind.unwrap_or(Kind::Versioned),
        applied_at,
        applied_by,
        duration_ms,
        statements_done: small(done),
        statements_total: small(total),
        run_id: text(),
        tool_version: text(),
        version,
    })
}
