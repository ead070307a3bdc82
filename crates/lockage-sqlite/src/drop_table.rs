//! Refuses a DROP TABLE that would delete or change rows of other tables.

use lockage_core::{Error, ErrorKind};
use lockage_sql::double_quoted;
use lockage_sql::script::{SQLITE, leading_words, tokens};
use rusqlite::{Connection, OptionalExtension};

use crate::pragma::unquoted;

/// A foreign key of another table, with an action that changes the rows of that table.
struct Reference {
    child: String,
    id: i64,
    action: String,
}

/// Returns the error of a DROP TABLE whose implicit DELETE would change rows of other tables.
///
/// While foreign keys are on, SQLite deletes every row before it drops a table, and executes the actions of the foreign keys that
/// refer to it (<https://www.sqlite.org/foreignkeys.html#fk_schemacommands>). `PRAGMA defer_foreign_keys` does not defer them.
pub(crate) fn check(connection: &Connection, statement: &str) -> rusqlite::Result<Option<Error>> {
    if leading_words(statement, &SQLITE, 2) != ["DROP", "TABLE"] {
        return Ok(None);
    }
    let is_on: bool = connection.query_row("PRAGMA foreign_keys", (), |row| row.get(0))?;
    let Some((schema, table)) = target(connection, statement)?.filter(|_| is_on) else {
        return Ok(None);
    };
    let table_name = format!("{}.{}", double_quoted(&schema), double_quoted(&table));
    if count(connection, &format!("(SELECT 1 FROM {table_name} LIMIT 1)"))? == 0 {
        return Ok(None);
    }
    for reference in references(connection, &schema, &table)? {
        let rows = count_children(connection, &schema, &reference)?;
        if rows > 0 {
            return Ok(Some(error(&table, &reference, rows)));
        }
    }
    Ok(None)
}

/// Returns schema and name of the table that a `DROP TABLE [IF EXISTS] [schema.]name` drops, if it exists.
fn target(connection: &Connection, statement: &str) -> rusqlite::Result<Option<(String, String)>> {
    let mut tokens = tokens(statement, &SQLITE).skip(2).peekable();
    if tokens
        .next_if(|token| token.eq_ignore_ascii_case("IF"))
        .is_some()
    {
        tokens.next();
    }
    let Some(first) = tokens.next().map(unquoted) else {
        return Ok(None);
    };
    let (schemas, name) = match (tokens.next(), tokens.next()) {
        (Some("."), Some(name)) => (vec![first], unquoted(name)),
        _ => (schemas(connection)?, first),
    };
    for schema in schemas {
        let sql = format!(
            "SELECT name FROM {}.sqlite_master WHERE type = 'table' AND name = ?1 COLLATE NOCASE",
            double_quoted(&schema)
        );
        let found = connection
            .prepare(&sql)
            .and_then(|mut query| query.query_row([&name], |row| row.get(0)).optional());
        // SQLite reports an unknown schema itself.
        if let Ok(Some(name)) = found {
            return Ok(Some((schema, name)));
        }
    }
    Ok(None)
}

/// Returns the schemas in the order in which SQLite searches a name without a schema.
fn schemas(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut query =
        connection.prepare("SELECT name FROM pragma_database_list ORDER BY name <> 'temp', seq")?;
    let names = query.query_map((), |row| row.get(0))?;
    names.collect()
}

fn references(
    connection: &Connection,
    schema: &str,
    table: &str,
) -> rusqlite::Result<Vec<Reference>> {
    let mut query = connection.prepare(&format!(
        "SELECT DISTINCT m.name, f.id, f.on_delete \
         FROM {}.sqlite_master m, pragma_foreign_key_list(m.name, ?2) f \
         WHERE m.type = 'table' AND f.\"table\" = ?1 COLLATE NOCASE AND m.name <> ?1 COLLATE NOCASE \
         AND f.on_delete IN ('CASCADE', 'SET NULL', 'SET DEFAULT')",
        double_quoted(schema)
    ))?;
    let references = query.query_map([table, schema], |row| {
        Ok(Reference {
            child: row.get(0)?,
            id: row.get(1)?,
            action: row.get(2)?,
        })
    })?;
    references.collect()
}

/// Returns the number of rows of a table that have a value in each column of a foreign key.
fn count_children(
    connection: &Connection,
    schema: &str,
    reference: &Reference,
) -> rusqlite::Result<i64> {
    let mut query =
        connection.prepare("SELECT \"from\" FROM pragma_foreign_key_list(?1, ?2) WHERE id = ?3")?;
    let columns = query.query_map((&reference.child, schema, reference.id), |row| {
        row.get::<_, String>(0)
    })?;
    let conditions: Vec<String> = columns
        .map(|column| Ok(format!("{} IS NOT NULL", double_quoted(&column?))))
        .collect::<rusqlite::Result<_>>()?;
    let child = double_quoted(&reference.child);
    let schema = double_quoted(schema);
    count(
        connection,
        &format!("{schema}.{child} WHERE {}", conditions.join(" AND ")),
    )
}

fn count(connection: &Connection, rows: &str) -> rusqlite::Result<i64> {
    connection.query_row(&format!("SELECT count(*) FROM {rows}"), (), |row| {
        row.get(0)
    })
}

fn error(table: &str, reference: &Reference, rows: i64) -> Error {
    let Reference { child, action, .. } = reference;
    let effect = match action.as_str() {
        "CASCADE" => "delete",
        _ => "change",
    };
    let rows = match rows {
        1 => "1 row".to_owned(),
        rows => format!("{rows} rows"),
    };
    Error::new(
        ErrorKind::MigrationFailed,
        format!(
            "DROP TABLE `{table}` would {effect} {rows} of `{child}`, which refers to it with ON DELETE {action}"
        ),
    )
    .with_hint(
        "to rebuild the table, add `-- lockage: foreign-keys=off` at the top of the file, or `PRAGMA foreign_keys = OFF` in a file with \
         no-transaction; if the rows are to be changed, do it with DELETE or UPDATE first",
    )
}
