//! The locks of other migration tools: names for `GET_LOCK`.

use lockage_core::{Error, ErrorKind, ForeignLock, FoundTable, LockKey, Result, Tool};
use lockage_sql::foreign_lock_ids::{
    golang_migrate_lock_id, group_tables, java_string_hash, rails_lock_id, sqlx_lock_id,
    sqlx_migrator_lock_id,
};

use crate::dialect::literal;
use crate::driver::DriverConnection;
use crate::server_info::Product;

/// Returns the keys of a foreign lock.
///
/// # Errors
/// [`ErrorKind::Unsupported`] if the tool has no lock on this server, or none that excludes it.
pub(crate) fn keys(
    foreign_lock: &ForeignLock,
    database: &str,
    product: Product,
) -> Result<Vec<LockKey>> {
    Ok(vec![match foreign_lock {
        ForeignLock::Tool(tool) => {
            LockKey::foreign(Some(*tool), lock_name(*tool, database, product)?)
        }
        ForeignLock::Native(name) => LockKey::foreign(None, name),
        _ => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "this backend does not know this kind of foreign lock",
            ));
        }
    }])
}

/// Returns the name that a tool locks.
fn lock_name(tool: Tool, database: &str, product: Product) -> Result<String> {
    Ok(match tool {
        // They pass a negative timeout. MariaDB then returns NULL and locks nothing.
        Tool::Sqlx | Tool::SqlxMigrator if product == Product::MariaDb => {
            return Err(tool.unsupported_error(
                "it requests its lock with a timeout that MariaDB rejects, and then migrates without a lock",
            ));
        }
        Tool::Atlas => "atlas_migrate_execute".into(),
        // The name that the provider Pomelo uses.
        Tool::EfCore => format!("__{database}_EFMigrationsLock"),
        Tool::Evolve => "Evolve".into(),
        Tool::Flyway => format!(
            "Flyway-{}",
            java_string_hash(&format!("`{database}`.`flyway_schema_history`"))
        ),
        Tool::GolangMigrate => {
            golang_migrate_lock_id(&format!("{database}:schema_migrations")).to_string()
        }
        Tool::Kysely => "ea586330-2c93-47c8-908d-981d9d270f9d".into(),
        Tool::Prisma => "prisma_migrate".into(),
        Tool::Rails => rails_lock_id(database).to_string(),
        Tool::Sqitch => format!("sqitch working on {database}"),
        Tool::Sqlx => format!("{:x}", sqlx_lock_id(database)),
        Tool::SqlxMigrator => sqlx_migrator_lock_id(database).to_string(),
        Tool::Wolverine => "wolverine_4006".into(),
        tool => {
            return Err(
                tool.unsupported_error("it has no lock on MySQL and MariaDB, or no known lock")
            );
        }
    })
}

/// Returns the tables with these names, in a database and in the one that Sqitch uses for its own tables.
pub(crate) async fn find_tables(
    driver: &mut DriverConnection,
    database: &str,
    names: &[String],
) -> Result<Vec<FoundTable>> {
    let names: Vec<String> = names.iter().map(|name| literal(name)).collect();
    let sql = format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA IN ({}, 'sqitch') AND LOWER(TABLE_NAME) IN ({}) ORDER BY 1, 2, ORDINAL_POSITION",
        literal(database),
        names.join(", ")
    );
    let sets = driver.run(&sql).await?;
    Ok(group_tables(sets.into_iter().flatten()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_names_match_other_tools() {
        for (tool, expected) in [
            (Tool::Atlas, "atlas_migrate_execute"),
            (Tool::EfCore, "__mydb_EFMigrationsLock"),
            (Tool::Evolve, "Evolve"),
            (Tool::Flyway, "Flyway-278632207"),
            (Tool::GolangMigrate, "1906445756"),
            (Tool::Kysely, "ea586330-2c93-47c8-908d-981d9d270f9d"),
            (Tool::Prisma, "prisma_migrate"),
            (Tool::Rails, "586353752304064290"),
            (Tool::Sqitch, "sqitch working on mydb"),
            // 293176876009260204
            (Tool::Sqlx, "41192d0bee404ac"),
            (Tool::SqlxMigrator, "3698122729"),
            (Tool::Wolverine, "wolverine_4006"),
        ] {
            assert_eq!(lock_name(tool, "mydb", Product::MySql).unwrap(), expected);
        }
    }

    #[test]
    fn unsupported_tool_has_reason() {
        let reason = |tool, product| {
            lock_name(tool, "mydb", product)
                .unwrap_err()
                .message()
                .to_owned()
        };
        assert!(reason(Tool::Sqlx, Product::MariaDb).contains("MariaDB rejects"));
        assert!(reason(Tool::Goose, Product::MySql).contains("it has no lock on MySQL"));
    }
}
