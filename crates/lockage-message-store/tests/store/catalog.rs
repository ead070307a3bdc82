//! The schema that the engine's catalog reports, in the terms of the documentation.

use std::collections::{BTreeMap, BTreeSet};

use lockage_testkit::TestError;

use crate::database::Database;
use crate::documented_schema::{Column, DocumentedSchema};
use crate::target_engine::Engine;

/// Internal tables of Lockage and of the engine, which are not documented.
const INTERNAL_TABLES: [&str; 4] = [
    "lockage_message_history",
    "lockage_message_history_journal",
    "lockage_lock",
    "sqlite_sequence",
];

/// Checks that the catalog of a schema matches the documentation. `prefix` is the prefix of the tables.
pub(crate) async fn assert_schema(
    database: &Database,
    schema: Option<&str>,
    prefix: &str,
    documented: &DocumentedSchema,
) -> Result<(), TestError> {
    let catalog = Catalog::read(database, schema).await?;
    let tables: BTreeSet<String> = catalog.tables();
    let expected: BTreeSet<String> = documented
        .tables
        .keys()
        .map(|table| format!("{prefix}{table}"))
        .collect();
    if tables != expected {
        return Err(format!("the catalog has the tables {tables:?}, not {expected:?}").into());
    }
    for (table, columns) in &documented.tables {
        let name = format!("{prefix}{table}");
        let found = catalog.columns_of(database.engine, &name, prefix)?;
        let expected: Vec<Column> = columns
            .iter()
            .map(|column| normalize_type(database.engine, table, column))
            .collect();
        if found != expected {
            return Err(format!(
                "{name} in the catalog:\n{found:#?}\nand in the documentation:\n{expected:#?}"
            )
            .into());
        }
    }
    for [index, table, column, rows] in &documented.indexes {
        let (table, name) = (format!("{prefix}{table}"), format!("{prefix}{index}"));
        let found = match database.lists_indexes {
            true => catalog.indexes.get(&(table, name)),
            // The server appends a suffix to the name.
            false => catalog
                .indexes
                .iter()
                .find(|((of, long), _)| *of == table && long.starts_with(&name))
                .map(|(_, found)| found),
        };
        let partial = rows != "all" && database.engine != Engine::Mysql && database.lists_indexes;
        let expected = (column.clone(), partial);
        if found != Some(&expected) {
            return Err(format!("the index {index} is {found:?}, not {expected:?}").into());
        }
    }
    Ok(())
}

/// Converts a documented column to the types of an engine.
fn normalize_type(engine: Engine, table: &str, column: &Column) -> Column {
    let mut column = column.clone();
    if engine == Engine::Sqlite && table == "nodes" {
        match column.name.as_str() {
            "id" => column.key = String::new(),
            "node_number" => column.key = "primary".into(),
            _ => {}
        }
    }
    if column.kind == "LIST" && engine != Engine::Postgres {
        column.kind = "TEXT".into();
    }
    if engine != Engine::Postgres && column.default == "false" {
        column.default = "0".into();
    }
    if engine == Engine::Sqlite {
        // SQLite has one type for several.
        column.kind = match column.kind.as_str() {
            "GUID" | "TS" => "TEXT".into(),
            "BOOL" => "INT".into(),
            _ => column.kind,
        };
    }
    column
}

/// The contents of the catalog.
struct Catalog {
    /// Table, column, type, nullability and default, in the order of the columns.
    columns: Vec<Vec<String>>,
    /// Table and column.
    primary: BTreeSet<(String, String)>,
    /// Table and column, with the referenced table and the delete rule.
    foreign: BTreeMap<(String, String), (String, String)>,
    /// Table and index, with the first column and whether the index is partial.
    indexes: BTreeMap<(String, String), (String, bool)>,
}

impl Catalog {
    async fn read(database: &Database, schema: Option<&str>) -> Result<Self, TestError> {
        let schema = match (database.engine, schema) {
            (Engine::Postgres, schema) => schema.unwrap_or("lockage"),
            (Engine::SqlServer, schema) => schema.unwrap_or("dbo"),
            (_, schema) => schema.unwrap_or_else(|| database.name()),
        };
        let [columns, primary, foreign, indexes] =
            queries(database.engine).map(|query| query.replace("$SCHEMA", &format!("'{schema}'")));
        let two = |row: &[String]| (row[0].clone(), row[1].clone());
        Ok(Self {
            columns: database.rows(&columns).await?,
            primary: database
                .rows(&primary)
                .await?
                .iter()
                .map(|row| two(row))
                .collect(),
            foreign: database
                .rows(&foreign)
                .await?
                .iter()
                .map(|row| (two(row), two(&row[2..])))
                .collect(),
            indexes: database
                .rows(&indexes)
                .await?
                .iter()
                .map(|row| (two(row), (row[2].clone(), row[3] == "1")))
                .collect(),
        })
    }

    fn tables(&self) -> BTreeSet<String> {
        let is_documented =
            |table: &&String| !INTERNAL_TABLES.iter().any(|own| table.ends_with(own));
        self.columns
            .iter()
            .map(|row| &row[0])
            .filter(is_documented)
            .cloned()
            .collect()
    }

    fn columns_of(
        &self,
        engine: Engine,
        table: &str,
        prefix: &str,
    ) -> Result<Vec<Column>, TestError> {
        let of_table = self.columns.iter().filter(|row| row[0] == table);
        of_table
            .map(|row| {
                let column = (table.to_owned(), row[1].clone());
                let key = match (self.primary.contains(&column), self.foreign.get(&column)) {
                    (true, _) => "primary".to_owned(),
                    (false, Some((to, rule))) => format!(
                        "{}, {}",
                        to.strip_prefix(prefix).unwrap_or(to),
                        rule.to_lowercase()
                    ),
                    (false, None) => String::new(),
                };
                Ok(Column {
                    name: row[1].clone(),
                    kind: kind(engine, &row[2].to_lowercase())
                        .ok_or_else(|| format!("{table}.{} is a {}", row[1], row[2]))?,
                    null: row[3] == "YES",
                    default: default(&row[4]),
                    key,
                })
            })
            .collect()
    }
}

fn kind(engine: Engine, found: &str) -> Option<String> {
    let kind = match (engine, found) {
        (Engine::Postgres, "uuid") => "GUID",
        (Engine::Postgres, "timestamptz") => "TS",
        (Engine::Postgres, "int4") => "INT",
        (Engine::Postgres, "bool") => "BOOL",
        (Engine::Postgres, "bytea") => "BLOB",
        (Engine::Postgres, "text") => "TEXT",
        (Engine::Postgres, "_text") => "LIST",
        (Engine::Mysql, "char(36)") => "GUID",
        (Engine::Mysql, "datetime(6)") => "TS",
        (Engine::Mysql, "tinyint(1)") => "BOOL",
        (Engine::Mysql, "longblob") => "BLOB",
        // MariaDB reports a display width, MySQL does not.
        (Engine::Mysql, "int" | "int(11)") => "INT",
        (Engine::Mysql, "text") => "TEXT",
        (Engine::Mysql, text) if text.starts_with("varchar(") => "TEXT",
        (Engine::SqlServer, "uniqueidentifier") => "GUID",
        (Engine::SqlServer, "datetimeoffset") => "TS",
        (Engine::SqlServer, "int") => "INT",
        (Engine::SqlServer, "bit") => "BOOL",
        (Engine::SqlServer, "varbinary") => "BLOB",
        (Engine::SqlServer, "nvarchar") => "TEXT",
        (Engine::Sqlite, "text") => "TEXT",
        (Engine::Sqlite, "integer") => "INT",
        (Engine::Sqlite, "blob") => "BLOB",
        _ => return None,
    };
    Some(kind.into())
}

fn default(found: &str) -> String {
    let now = ["now()", "strftime(", "utc_timestamp(", "sysutcdatetime("];
    match found.trim_matches(['\'', '(', ')']) {
        "NULL" => String::new(),
        text if now.iter().any(|now| text.to_lowercase().contains(now)) => "now".into(),
        text => text.to_owned(),
    }
}

/// Returns the queries for columns, primary keys, foreign keys and indexes.
// Long because it contains the SQL of four engines.
fn queries(engine: Engine) -> [&'static str; 4] {
    match engine {
        Engine::Postgres => [
            "SELECT table_name, column_name, udt_name, is_nullable, \
             CASE is_identity WHEN 'YES' THEN 'generated' ELSE column_default END \
             FROM information_schema.columns WHERE table_schema = $SCHEMA ORDER BY table_name, ordinal_position",
            "SELECT c.relname, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid \
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey) \
             WHERE i.indisprimary AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $SCHEMA)",
            "SELECT f.relname, a.attname, t.relname, CASE c.confdeltype WHEN 'c' THEN 'cascade' ELSE 'other' END \
             FROM pg_constraint c JOIN pg_class t ON t.oid = c.confrelid JOIN pg_class f ON f.oid = c.conrelid \
             JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey) \
             WHERE c.contype = 'f' AND c.connamespace = (SELECT oid FROM pg_namespace WHERE nspname = $SCHEMA)",
            "SELECT c.relname, x.relname, a.attname, CASE WHEN i.indpred IS NULL THEN '0' ELSE '1' END \
             FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid \
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $SCHEMA)",
        ],
        Engine::Mysql => [
            "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, \
             CASE WHEN EXTRA LIKE '%auto_increment%' THEN 'generated' ELSE COLUMN_DEFAULT END \
             FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = $SCHEMA ORDER BY TABLE_NAME, ORDINAL_POSITION",
            "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE \
             WHERE TABLE_SCHEMA = $SCHEMA AND CONSTRAINT_NAME = 'PRIMARY'",
            "SELECT k.TABLE_NAME, k.COLUMN_NAME, k.REFERENCED_TABLE_NAME, r.DELETE_RULE FROM information_schema.KEY_COLUMN_USAGE k \
             JOIN information_schema.REFERENTIAL_CONSTRAINTS r USING (CONSTRAINT_SCHEMA, CONSTRAINT_NAME) WHERE k.TABLE_SCHEMA = $SCHEMA",
            "SELECT TABLE_NAME, INDEX_NAME, COLUMN_NAME, '0' FROM information_schema.STATISTICS \
             WHERE TABLE_SCHEMA = $SCHEMA AND SEQ_IN_INDEX = 1",
        ],
        Engine::SqlServer => [
            "SELECT CONVERT(NVARCHAR(128), t.name), CONVERT(NVARCHAR(128), c.name), CONVERT(NVARCHAR(128), TYPE_NAME(c.user_type_id)), \
             CASE c.is_nullable WHEN 1 THEN 'YES' ELSE 'NO' END, \
             CASE c.is_identity WHEN 1 THEN 'generated' ELSE CONVERT(NVARCHAR(400), d.definition) END \
             FROM sys.tables t JOIN sys.columns c ON c.object_id = t.object_id LEFT JOIN sys.default_constraints d \
             ON d.parent_object_id = t.object_id AND d.parent_column_id = c.column_id \
             WHERE SCHEMA_NAME(t.schema_id) = $SCHEMA ORDER BY t.name, c.column_id",
            "SELECT CONVERT(NVARCHAR(128), t.name), CONVERT(NVARCHAR(128), c.name) FROM sys.indexes i \
             JOIN sys.tables t ON t.object_id = i.object_id \
             JOIN sys.index_columns x ON x.object_id = i.object_id AND x.index_id = i.index_id \
             JOIN sys.columns c ON c.object_id = t.object_id AND c.column_id = x.column_id \
             WHERE i.is_primary_key = 1 AND SCHEMA_NAME(t.schema_id) = $SCHEMA",
            "SELECT CONVERT(NVARCHAR(128), OBJECT_NAME(f.parent_object_id)), CONVERT(NVARCHAR(128), c.name), \
             CONVERT(NVARCHAR(128), OBJECT_NAME(f.referenced_object_id)), CONVERT(NVARCHAR(60), f.delete_referential_action_desc) \
             FROM sys.foreign_keys f JOIN sys.foreign_key_columns k ON k.constraint_object_id = f.object_id \
             JOIN sys.columns c ON c.object_id = k.parent_object_id AND c.column_id = k.parent_column_id \
             WHERE SCHEMA_NAME(f.schema_id) = $SCHEMA",
            "SELECT CONVERT(NVARCHAR(128), t.name), CONVERT(NVARCHAR(128), i.name), CONVERT(NVARCHAR(128), c.name), \
             CASE i.has_filter WHEN 1 THEN '1' ELSE '0' END FROM sys.indexes i JOIN sys.tables t ON t.object_id = i.object_id \
             JOIN sys.index_columns x ON x.object_id = i.object_id AND x.index_id = i.index_id AND x.key_ordinal = 1 \
             JOIN sys.columns c ON c.object_id = t.object_id AND c.column_id = x.column_id WHERE SCHEMA_NAME(t.schema_id) = $SCHEMA",
        ],
        Engine::Sqlite => [
            "SELECT t.name, c.name, c.type, CASE c.\"notnull\" WHEN 1 THEN 'NO' ELSE 'YES' END, \
             CASE WHEN c.pk = 1 AND t.sql LIKE '%' || c.name || ' INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT%' THEN 'generated' \
             ELSE c.dflt_value END \
             FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND $SCHEMA <> '' ORDER BY t.name, c.cid",
            "SELECT t.name, c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND c.pk > 0",
            "SELECT t.name, f.\"from\", f.\"table\", f.on_delete FROM sqlite_master t JOIN pragma_foreign_key_list(t.name) f WHERE t.type = 'table'",
            "SELECT t.name, i.name, c.name, CAST(i.partial AS TEXT) FROM sqlite_master t JOIN pragma_index_list(t.name) i \
             JOIN pragma_index_info(i.name) c ON c.seqno = 0 WHERE t.type = 'table'",
        ],
    }
}
