//! Which tools have migrated a database, as the tables in it tell.

use super::Tool;

/// A table that somebody made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundTable {
    /// Its schema; on MySQL the database. Empty where an engine has none.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The names of its columns.
    pub columns: Vec<String>,
}

/// What a tool leaves: a table, with the schema and the column by which it is told from others of the name.
struct Trace {
    tool: Tool,
    schema: Option<&'static str>,
    table: &'static str,
    column: Option<&'static str>,
}

const fn table(tool: Tool, table: &'static str) -> Trace {
    Trace {
        tool,
        schema: None,
        table,
        column: None,
    }
}

impl Trace {
    const fn with(mut self, column: &'static str) -> Self {
        self.column = Some(column);
        self
    }

    const fn in_schema(mut self, schema: &'static str) -> Self {
        self.schema = Some(schema);
        self
    }

    fn is_of(&self, found: &FoundTable) -> bool {
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        same(&found.name, self.table)
            && self.schema.is_none_or(|schema| same(&found.schema, schema))
            && self
                .column
                .is_none_or(|column| found.columns.iter().any(|found| same(found, column)))
    }
}

const TRACES: &[Trace] = &[
    table(Tool::Alembic, "alembic_version"),
    table(Tool::Atlas, "atlas_schema_revisions"),
    table(Tool::Diesel, "__diesel_schema_migrations"),
    table(Tool::Django, "django_migrations"),
    table(Tool::Drizzle, "__drizzle_migrations"),
    table(Tool::Ecto, "schema_migrations").with("inserted_at"),
    table(Tool::EfCore, "__EFMigrationsHistory"),
    table(Tool::Evolve, "changelog").with("installed_by"),
    table(Tool::Flyway, "flyway_schema_history"),
    table(Tool::GolangMigrate, "schema_migrations").with("dirty"),
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
    // Old Flyway had a table of that name, with other columns.
    table(Tool::Tern, "schema_version").with("version"),
    table(Tool::Wolverine, "wolverine_incoming_envelopes"),
];

/// The names, in lower case, of the tables to look for.
pub(crate) fn tables() -> Vec<String> {
    let mut names: Vec<String> = TRACES
        .iter()
        .map(|trace| trace.table.to_ascii_lowercase())
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The tools that left these tables.
pub(crate) fn tools(found: &[FoundTable]) -> Vec<Tool> {
    let mut tools: Vec<Tool> = TRACES
        .iter()
        .filter(|trace| found.iter().any(|table| trace.is_of(table)))
        .map(|trace| trace.tool)
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
            .map(|(schema, name, columns)| FoundTable {
                schema: (*schema).into(),
                name: (*name).into(),
                columns: columns.split(' ').map(str::to_owned).collect(),
            })
            .collect();
        tools(&tables)
    }

    #[test]
    fn tables_of_one_name_are_told_apart() {
        let migrations = |columns| found(&[("public", "schema_migrations", columns)]);
        assert_eq!(migrations("version dirty"), [Tool::GolangMigrate]);
        assert_eq!(migrations("version inserted_at"), [Tool::Ecto]);
        // dbmate, which takes no lock, or an old Rails: not enough to go by.
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
    fn spelling_and_repetition_do_not_matter() {
        assert_eq!(
            found(&[
                ("public", "__efmigrationshistory", "migrationid"),
                ("app", "DATABASECHANGELOGLOCK", "ID"),
                ("a", "mt_hilo", "x"),
                ("a", "mt_streams", "x"),
            ]),
            [Tool::EfCore, Tool::Liquibase, Tool::Marten]
        );
        assert!(tables().iter().all(|name| *name == name.to_lowercase()));
    }
}
