//! Which rows a script that runs without foreign keys leaves without a parent.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use lockage_core::{Error, ErrorKind, Location, Migration};
use lockage_sql::double_quoted;
use rusqlite::{Connection, OptionalExtension};

/// The internal command that records the violations before a script.
pub(crate) const RECORD_VIOLATIONS: &str = "PRAGMA foreign_key_check /* before the script */";

/// The internal command that fails if a script left more violations than there were before it.
pub(crate) const CHECK_VIOLATIONS: &str = "PRAGMA foreign_key_check /* after the script */";

/// The number of rows that an error names.
const MAX_NAMED_ROWS: usize = 3;

/// The check of foreign keys at the end of a script that runs without them.
#[derive(Debug, Default)]
pub(crate) struct ForeignKeyCheck {
    /// The file of the script.
    file: String,
    before: Violations,
}

/// The rows of a database without a parent.
#[derive(Debug, Default)]
struct Violations {
    rows: Vec<Violation>,
    /// Tables whose foreign keys cannot be checked, and the reason.
    unchecked: BTreeMap<String, String>,
}

/// A row without a parent.
#[derive(Debug)]
struct Violation {
    table: String,
    /// `None` in a table WITHOUT ROWID.
    rowid: Option<i64>,
    parent: String,
    /// The columns of the foreign key and their values. A script that rebuilds a table can change row ids, but not these.
    reference: Option<String>,
}

impl ForeignKeyCheck {
    pub(crate) fn new(migration: &Migration) -> Self {
        Self {
            file: migration.file().to_string(),
            before: Violations::default(),
        }
    }

    /// Records the violations before the script.
    pub(crate) fn record(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.before = Violations::read(connection)?;
        Ok(())
    }

    /// Returns an error that names the violations that did not exist before.
    pub(crate) fn check(&self, connection: &Connection) -> rusqlite::Result<Option<Error>> {
        let after = Violations::read(connection)?;
        let problem = self.new_rows_message(&after).or_else(|| {
            let is_new = |table: &String| !self.before.unchecked.contains_key(table);
            let (_, reason) = after.unchecked.iter().find(|(table, _)| is_new(table))?;
            Some(format!(
                "the script leaves an invalid foreign key: {reason}"
            ))
        });
        Ok(problem.map(|message| {
            Error::new(ErrorKind::MigrationFailed, message)
                .with_location(Location::file(&*self.file))
                .with_hint("correct it in the script; `PRAGMA foreign_key_check` lists all rows without a parent")
        }))
    }

    fn new_rows_message(&self, after: &Violations) -> Option<String> {
        let mut known: BTreeMap<_, usize> = BTreeMap::new();
        for row in &self.before.rows {
            *known.entry(row.key()).or_default() += 1;
        }
        let is_new = |row: &&Violation| match known.get_mut(&row.key()) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        };
        let new: Vec<&Violation> = after.rows.iter().filter(is_new).collect();
        if new.is_empty() {
            return None;
        }
        let named: Vec<String> = new
            .iter()
            .take(MAX_NAMED_ROWS)
            .map(|row| row.describe())
            .collect();
        let rest = match new.len().saturating_sub(MAX_NAMED_ROWS) {
            0 => String::new(),
            rest => format!("; and {rest} more"),
        };
        Some(format!(
            "the script leaves rows that violate foreign keys: {}{rest}",
            named.join("; ")
        ))
    }
}

impl Violations {
    fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let mut found = Self::default();
        let mut tables = connection.prepare(
            "SELECT DISTINCT m.name FROM main.sqlite_master m, pragma_foreign_key_list(m.name, 'main') \
             WHERE m.type = 'table' ORDER BY m.name",
        )?;
        let tables: Vec<String> = tables
            .query_map((), |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for table in tables {
            // Fails if the columns that a foreign key refers to are not unique, for example.
            match read_table(connection, &table) {
                Ok(rows) => found.rows.extend(rows),
                Err(error @ rusqlite::Error::SqliteFailure(code, _))
                    if code.code != rusqlite::ErrorCode::Unknown =>
                {
                    return Err(error);
                }
                Err(error) => {
                    found.unchecked.insert(table, error.to_string());
                }
            }
        }
        Ok(found)
    }
}

/// Returns the rows of a table that violate its foreign keys.
fn read_table(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Violation>> {
    let mut check = connection
        .prepare("SELECT rowid, parent, fkid FROM pragma_foreign_key_check(?1, 'main')")?;
    let rows = check.query_map([table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let rows: Vec<(Option<i64>, String, i64)> = rows.collect::<Result<_, _>>()?;
    let mut queries: BTreeMap<i64, String> = BTreeMap::new();
    let mut violations = Vec::new();
    for (rowid, parent, key) in rows {
        let reference = match rowid {
            Some(rowid) => {
                let sql = match queries.entry(key) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => new.insert(reference_sql(connection, table, key)?),
                };
                connection
                    .prepare_cached(sql)?
                    .query_row([rowid], |row| row.get(0))
                    .optional()?
            }
            None => None,
        };
        violations.push(Violation {
            table: table.to_owned(),
            rowid,
            parent,
            reference,
        });
    }
    Ok(violations)
}

/// Returns the query that describes the columns of a foreign key in one row: `p = 7`.
fn reference_sql(connection: &Connection, table: &str, key: i64) -> rusqlite::Result<String> {
    let mut columns = connection.prepare(
        "SELECT \"from\" FROM pragma_foreign_key_list(?1, 'main') WHERE id = ?2 ORDER BY seq",
    )?;
    let columns = columns.query_map((table, key), |row| row.get::<_, String>(0))?;
    let columns: Vec<String> = columns
        .map(|column| {
            let column = column?;
            let label = format!("{column} = ").replace('\'', "''");
            Ok(format!("'{label}' || quote({})", double_quoted(&column)))
        })
        .collect::<rusqlite::Result<_>>()?;
    Ok(format!(
        "SELECT {} FROM main.{} WHERE rowid = ?1",
        columns.join(" || ', ' || "),
        double_quoted(table)
    ))
}

impl Violation {
    /// Returns what identifies the violation before and after the script.
    fn key(&self) -> (String, String, Option<String>) {
        let (table, parent) = (self.table.to_lowercase(), self.parent.to_lowercase());
        (table, parent, self.reference.clone())
    }

    fn describe(&self) -> String {
        let row = match self.rowid {
            Some(rowid) => format!("row {rowid}"),
            None => "a row".to_owned(),
        };
        let reference = match &self.reference {
            Some(reference) => format!(" ({reference})"),
            None => String::new(),
        };
        let Self { table, parent, .. } = self;
        format!("{row} of `{table}`{reference} has no parent in `{parent}`")
    }
}
