//! The advisory locks of other migration tools.

use lockage_core::{Error, ErrorKind, ForeignLock, FoundTable, LockKey, Result, Tool};
use lockage_sql::foreign_lock_ids::{
    golang_migrate_lock_id, group_tables, java_string_hash, rails_lock_id, sqlx_lock_id,
    sqlx_migrator_lock_id,
};

use crate::dialect::literal;
use crate::driver::DriverConnection;

/// Flyway adds the hash of its table to this number: the bytes of `Flyway`.
const FLYWAY_BASE: i64 = 77_431_708_279_161;

/// On what the lock ids of some tools depend.
#[derive(Debug)]
struct SchemaLocation {
    database: String,
    /// The schemas that contain the tool's table; without such a table, the schema in which the tool would create it.
    schemas: Vec<String>,
}

/// Returns the keys of a foreign lock.
pub(crate) async fn keys(
    driver: &mut DriverConnection,
    foreign_lock: &ForeignLock,
) -> Result<Vec<LockKey>> {
    let (tool, ids) = match foreign_lock {
        ForeignLock::Tool(tool) => {
            let location = schema_location(driver, *tool).await?;
            (Some(*tool), lock_ids(*tool, &location)?)
        }
        ForeignLock::Native(text) => match text.parse() {
            Ok(id) => (None, vec![id]),
            Err(_) => {
                return Err(Error::new(
                    ErrorKind::InvalidConfig,
                    format!("`{text}` is not the id of an advisory lock of PostgreSQL"),
                ));
            }
        },
        _ => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "this kind of foreign lock is not supported on PostgreSQL",
            ));
        }
    };
    let key = |id: i64| LockKey::foreign(tool, id.to_string());
    Ok(ids.into_iter().map(key).collect())
}

/// Returns the ids that a tool locks.
fn lock_ids(tool: Tool, location: &SchemaLocation) -> Result<Vec<i64>> {
    let SchemaLocation { database, schemas } = location;
    Ok(match tool {
        Tool::Atlas => vec![2_686_470_616],
        Tool::Evolve => vec![12_345],
        Tool::Flyway => schemas
            .iter()
            .map(|schema| flyway_lock_id(schema))
            .collect(),
        // As a library, it uses the name of the database. With a URL, it uses the path of the URL, which starts with a slash.
        Tool::GolangMigrate => schemas
            .iter()
            .flat_map(|schema| {
                ["", "/"].map(|slash| {
                    golang_migrate_lock_id(&format!(
                        "{schema}\0schema_migrations\0{slash}{database}"
                    ))
                })
            })
            .map(i64::from)
            .collect(),
        // The first since version 3.26, the second before.
        Tool::Goose => vec![4_097_083_626, 5_887_940_537_704_921_958],
        Tool::GraphileMigrate => vec![4_727_445_306_447_283],
        Tool::Kysely => vec![3_853_314_791_062_309_107],
        Tool::Marten => vec![4004],
        Tool::NodePgMigrate => vec![7_241_865_325_823_964],
        Tool::Pgroll => vec![12_388_221_127_840_347],
        Tool::Prisma => vec![72_707_369],
        Tool::Rails => vec![rails_lock_id(database)],
        Tool::Reshape => vec![4_036_779_288_569_897_133],
        Tool::Sqitch => vec![75_474_063],
        Tool::Sqlx => vec![sqlx_lock_id(database)],
        Tool::SqlxMigrator => vec![sqlx_migrator_lock_id(database).into()],
        Tool::Tern => vec![9_628_173_550_095_224],
        Tool::Wolverine => vec![4006],
        Tool::Ecto => {
            return Err(tool.unsupported_error(
                "it locks its table within each of its own transactions, and Lockage cannot hold that lock across several transactions; \
                 if Ecto uses :pg_advisory_lock, name the id of that lock with lock:<id>",
            ));
        }
        Tool::EfCore => {
            return Err(tool.unsupported_error(
                "it locks its history table within its own transaction, and Lockage cannot hold that lock across several transactions",
            ));
        }
        tool => return Err(tool.unsupported_error("its lock on PostgreSQL is not known")),
    })
}

fn flyway_lock_id(schema: &str) -> i64 {
    let table = format!("\"{schema}\".\"flyway_schema_history\"");
    FLYWAY_BASE + i64::from(java_string_hash(&table))
}

async fn schema_location(driver: &mut DriverConnection, tool: Tool) -> Result<SchemaLocation> {
    let rows = driver
        .query("SELECT pg_catalog.current_database(), pg_catalog.current_schema()")
        .await?;
    let mut columns = rows.into_iter().flatten();
    let mut next = || columns.next().flatten();
    let (database, current) = (next().unwrap_or_default(), next());
    let (table, column) = match tool {
        Tool::Flyway => ("flyway_schema_history", "installed_rank"),
        Tool::GolangMigrate => ("schema_migrations", "dirty"),
        _ => {
            return Ok(SchemaLocation {
                database,
                schemas: Vec::new(),
            });
        }
    };
    let mut schemas: Vec<String> = find_tables(driver, &[table.to_owned()])
        .await?
        .into_iter()
        .filter(|found| found.name == table && found.columns.iter().any(|name| name == column))
        .map(|found| found.schema)
        .collect();
    if schemas.is_empty() {
        schemas.extend(current);
    }
    Ok(SchemaLocation { database, schemas })
}

/// Returns the tables of these names in all schemas.
pub(crate) async fn find_tables(
    driver: &mut DriverConnection,
    names: &[String],
) -> Result<Vec<FoundTable>> {
    let names: Vec<String> = names.iter().map(|name| literal(name)).collect();
    let query = format!(
        "SELECT n.nspname, c.relname, a.attname FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         WHERE c.relkind IN ('r', 'p') AND pg_catalog.lower(c.relname::text) IN ({}) ORDER BY 1, 2, a.attnum",
        names.join(", ")
    );
    Ok(group_tables(driver.query(&query).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_lock_ids_never_change() {
        let location = SchemaLocation {
            database: "mydb".into(),
            schemas: vec!["public".into()],
        };
        for (tool, expected) in [
            (Tool::Atlas, &[2_686_470_616][..]),
            (Tool::Evolve, &[12_345]),
            (Tool::Flyway, &[77_433_833_903_597]),
            (Tool::GolangMigrate, &[2_103_762_914, 616_192_132]),
            (Tool::Goose, &[4_097_083_626, 5_887_940_537_704_921_958]),
            (Tool::GraphileMigrate, &[4_727_445_306_447_283]),
            (Tool::Kysely, &[3_853_314_791_062_309_107]),
            (Tool::Marten, &[4004]),
            (Tool::NodePgMigrate, &[7_241_865_325_823_964]),
            (Tool::Pgroll, &[12_388_221_127_840_347]),
            (Tool::Prisma, &[72_707_369]),
            (Tool::Rails, &[586_353_752_304_064_290]),
            (Tool::Reshape, &[4_036_779_288_569_897_133]),
            (Tool::Sqitch, &[75_474_063]),
            (Tool::Sqlx, &[293_176_876_009_260_204]),
            (Tool::SqlxMigrator, &[3_698_122_729]),
            (Tool::Tern, &[9_628_173_550_095_224]),
            (Tool::Wolverine, &[4006]),
        ] {
            assert_eq!(lock_ids(tool, &location).unwrap(), expected, "{tool}");
        }
    }

    #[test]
    fn unsupported_tool_error_names_the_reason() {
        let location = SchemaLocation {
            database: "mydb".into(),
            schemas: Vec::new(),
        };
        for (tool, part) in [
            (Tool::Ecto, ":pg_advisory_lock"),
            (Tool::EfCore, "within its own transaction"),
        ] {
            let error = lock_ids(tool, &location).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.message().contains(part), "{error}");
        }
        // Each tool has an id, or a reason of its own.
        for tool in Tool::ALL
            .into_iter()
            .filter(|tool| tool.check_lockable().is_ok())
        {
            if let Err(error) = lock_ids(tool, &location) {
                assert!(!error.message().contains("is not known"), "{error}");
            }
        }
    }
}
