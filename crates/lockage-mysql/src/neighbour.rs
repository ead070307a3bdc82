//! The locks of other tools: names for `GET_LOCK`.

use lockage_core::{FoundTable, LockKey, ForeignLock, Result, Tool};
use lockage_sql::neighbour::{
    find_tables, golang_migrate, java_hash, rails, sqlx, sqlx_migrator,
};

use crate::dialect::literal;
use crate::error;
use crate::facts::Flavour;
use crate::wire::Wire;

/// The locks of a neighbour, as keys.
pub(crate) fn locks(
    neighbour: &ForeignLock,
    database: &str,
    flavour: Flavour,
) -> Result<Vec<LockKey>> {
    Ok(vec![match neighbour {
        ForeignLock::Tool(tool) => {
            LockKey::foreign(Some(*tool), name(*tool, database, flavour)?)
        }
        ForeignLock::Lock(name) => LockKey::foreign(None, name),
        _ => {
            return Err(lockage_core::Error::new(
                lockage_core::ErrorKind::Unsupported,
                "this kind of neighbour is not known here",
            ));
        }
    }])
}

/// The name that a tool locks.
fn name(tool: Tool, database: &str, flavour: Flavour) -> Result<String> {
    Ok(match tool {
        // They ask for it with a negative time, which MariaDB answers with NULL and no lock.
        Tool::Sqlx | Tool::SqlxMigrator if flavour == Flavour::MariaDb => {
            return Err(tool.refused(
                "it asks MariaDB for its lock in a way that MariaDB refuses, and goes on without one: nothing would keep it out",
            ));
        }
        Tool::Atlas => "atlas_migrate_execute".into(),
        // As Pomelo does.
        Tool::EfCore => format!("__{database}_EFMigrationsLock"),
        Tool::Evolve => "Evolve".into(),
        Tool::Flyway => format!(
            "Flyway-{}",
            java_hash(&format!("`{database}`.`flyway_schema_history`"))
        ),
        Tool::GolangMigrate => golang_migrate(&format!("{database}:schema_migrations")).to_string(),
        Tool::Kysely => "ea586330-2c93-47c8-908d-981d9d270f9d".into(),
        Tool::Prisma => "prisma_migrate".into(),
        Tool::Rails => rails(database).to_string(),
        Tool::Sqitch => format!("sqitch working on {database}"),
        Tool::Sqlx => format!("{:x}", sqlx(database)),
        Tool::SqlxMigrator => sqlx_migrator(database).to_string(),
        Tool::Wolverine => "wolverine_4006".into(),
        tool => {
            return Err(tool.refused("it takes none on MySQL and MariaDB, or none that is known"));
        }
    })
}

/// The tables of these names, in a database and where Sqitch keeps its own.
pub(crate) async fn tables(
    wire: &mut Wire,
    database: &str,
    names: &[String],
) -> Result<Vec<FoundTable>> {
    let names: Vec<String> = names.iter().map(|name| literal(name)).collect();
    let look = format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA IN ({}, 'sqitch') AND LOWER(TABLE_NAME) IN ({}) ORDER BY 1, 2, ORDINAL_POSITION",
        literal(database),
        names.join(", ")
    );
    let sets = wire
        .run(&look)
        .await
        .map_err(|broken| error::plain(broken.error))?;
    Ok(find_tables(sets.into_iter().flatten()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_neighbours_never_change() {
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
            assert_eq!(name(tool, "mydb", Flavour::MySql).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_not_served_says_why() {
        let refused = |tool, flavour| {
            name(tool, "mydb", flavour)
                .unwrap_err()
                .message()
                .to_owned()
        };
        assert!(refused(Tool::Sqlx, Flavour::MariaDb).contains("MariaDB refuses"));
        assert!(refused(Tool::Goose, Flavour::MySql).contains("it takes none on MySQL"));
    }
}
