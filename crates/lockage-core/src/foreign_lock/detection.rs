use super::Tool;

/// A table of the database, found by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FoundTable {
    /// The schema; on MySQL the database. Empty for an engine without schemas.
    pub schema: String,
    /// The name.
    pub name: String,
    /// The names of the columns.
    pub columns: Vec<String>,
}

impl FoundTable {
    /// Creates a table from its schema, its name and the names of its columns.
    pub fn new(schema: impl Into<String>, name: impl Into<String>, columns: Vec<String>) -> Self {
        Self {
            schema: schema.into(),
            name: name.into(),
            columns,
        }
    }
}

/// A table that a tool creates. Schema and column tell it from the tables of other tools with the same name.
struct MarkerTable {
    tool: Tool,
    schema: Option<&'static str>,
    table: &'static str,
    column: Option<&'static str>,
}

const fn table(tool: Tool, table: &'static str) -> MarkerTable {
    MarkerTable {
        tool,
        schema: None,
        table,
        column: None,
    }
}

impl MarkerTable {
    const fn with_column(mut self, column: &'static str) -> Self {
        self.column = Some(column);
        self
    }

    const fn in_schema(mut self, schema: &'static str) -> Self {
        self.schema = Some(schema);
        self
    }

    fn matches(&self, found: &FoundTable) -> bool {
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        same(&found.name, self.table)
            && self.schema.is_none_or(|schema| same(&found.schema, schema))
            && self
                .column
                .is_none_or(|column| found.columns.iter().any(|found| same(found, column)))
    }
}

const MARKER_TABLES: &[MarkerTable] = &[
    table(Tool::Alembic, "alembic_version"),
    table(Tool::Atlas, "atlas_schema_revisions"),
    table(Tool::Diesel, "__diesel_schema_migrations"),
    table(Tool::Django, "django_migrations"),
    table(Tool::Drizzle, "__drizzle_migrations"),
    table(Tool::Ecto, "schema_migrations").with_column("inserted_at"),
    table(Tool::EfCore, "__EFMigrationsHistory"),
    table(Tool::Evolve, "changelog").with_column("installed_by"),
    table(Tool::Flyway, "flyway_schema_history"),
    table(Tool::GolangMigrate, "schema_migrations").with_column("dirty"),
    table(Tool::Goose, "goose_db_version"),
    table(Tool::GraphileMigrate, "migrations").in_schema("graphile_migrate"),
    table(Tool::Knex, "knex_migrations_lock"),
    table(Tool::Kysely, "kysely_migration"),
    table(Tool::Liquibase, "databasechangeloglock"),
    table(Tool::Marten, "mt_hilo"),
    table(Tool::Marten, "mt_streams"),
    table(Tool::NodePgMigrate, "pgmigrations"),
    table(Tool::Pgroll, "migrations").in_schema("pgroll"),
    table(Tool::Prisma, "_prisma_migrations"),
    table(Tool::Rails, "ar_internal_metadata"),
    table(Tool::Refinery, "refinery_schema_history"),
    table(Tool::Reshape, "migrations").in_schema("reshape"),
    table(Tool::SeaOrm, "seaql_migrations"),
    table(Tool::Sqitch, "changes").in_schema("sqitch"),
    table(Tool::Sqlx, "_sqlx_migrations"),
    table(Tool::SqlxMigrator, "_sqlx_migrator_migrations"),
    // Old versions of Flyway have a table with this name and other columns; see `detect_tools`.
    table(Tool::Tern, "schema_version").with_column("version"),
    table(Tool::Wolverine, "wolverine_incoming_envelopes"),
];

/// Returns the names of all marker tables, in lower case.
pub(crate) fn marker_table_names() -> Vec<String> {
    let mut names: Vec<String> = MARKER_TABLES
        .iter()
        .map(|marker| marker.table.to_ascii_lowercase())
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Returns the tools to which the tables belong.
pub(crate) fn detect_tools(found: &[FoundTable]) -> Vec<Tool> {
    let mut tools: Vec<Tool> = MARKER_TABLES
        .iter()
        .filter(|marker| found.iter().any(|table| marker.matches(table)))
        .map(|marker| marker.tool)
        .collect();
    if found.iter().any(|table| {
        table.name == "schema_version" && table.columns.iter().any(|name| name == "installed_rank")
    }) {
        tools.retain(|tool| *tool != Tool::Tern);
    }
    tools.sort();
    tools.dedup();
    tools
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(tables: &[(&str, &str, &str)]) -> Vec<Tool> {
        let tables: Vec<_> = tables
            .iter()
            .map(|(schema, name, columns)| {
                FoundTable::new(
                    *schema,
                    *name,
                    columns.split(' ').map(str::to_owned).collect(),
                )
            })
            .collect();
        detect_tools(&tables)
    }

    #[test]
    fn tables_with_same_name_are_distinguished_by_columns() {
        let migrations = |columns| found(&[("public", "schema_migrations", columns)]);
        assert_eq!(migrations("version dirty"), [Tool::GolangMigrate]);
        assert_eq!(migrations("version inserted_at"), [Tool::Ecto]);
        // dbmate, which acquires no lock, or an old version of Rails: not decidable.
        assert_eq!(migrations("version"), []);
        assert_eq!(
            found(&[("public", "schema_version", "version")]),
            [Tool::Tern]
        );
        assert_eq!(
            found(&[("public", "schema_version", "version installed_rank")]),
            []
        );
        assert_eq!(
            found(&[("pgroll", "migrations", "schema name")]),
            [Tool::Pgroll]
        );
        assert_eq!(found(&[("public", "migrations", "id name")]), []);
    }

    #[test]
    fn case_and_duplicate_tables_are_ignored() {
        assert_eq!(
            found(&[
                ("public", "__efmigrationshistory", "migrationid"),
                ("app", "DATABASECHANGELOGLOCK", "ID"),
                ("a", "mt_hilo", "x"),
                ("a", "mt_streams", "x"),
            ]),
            [Tool::EfCore, Tool::Liquibase, Tool::Marten]
        );
        assert!(
            marker_table_names()
                .iter()
                .all(|name| *name == name.to_lowercase())
        );
    }
}
