//! The locks of other tools: resources of application locks.

use lockage_core::{Error, ErrorKind, FoundTable, LockKey, ForeignLock, Result, Tool};
use lockage_sql::neighbour::{find_tables, java_hash};

use crate::dialect::literal;
use crate::error;
use crate::wire::Wire;

/// The locks of a neighbour, as keys.
pub(crate) fn locks(neighbour: &ForeignLock, database: &str) -> Result<Vec<LockKey>> {
    Ok(vec![match neighbour {
        ForeignLock::Tool(tool) => LockKey::foreign(Some(*tool), name(*tool, database)?),
        ForeignLock::Lock(name) => LockKey::foreign(None, name),
        _ => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "this kind of neighbour is not known here",
            ));
        }
    }])
}

/// The resource that a tool locks.
fn name(tool: Tool, database: &str) -> Result<String> {
    Ok(match tool {
        Tool::EfCore => "__EFMigrationsLock".into(),
        Tool::Flyway => {
            let table = format!("[{database}].[dbo].[flyway_schema_history]");
            format!("Flyway-{}", java_hash(&table))
        }
        Tool::Kysely => "kysely_migration".into(),
        Tool::Prisma => "prisma_migrate".into(),
        Tool::Wolverine => "4006".into(),
        tool => {
            return Err(tool.refused("it takes none on SQL Server, or none that is known"));
        }
    })
}

/// The database principal under which a tool locks, where it is not everybody's.
pub(crate) fn principal(tool: Option<Tool>) -> Option<&'static str> {
    match tool {
        Some(Tool::Kysely) => Some("dbo"),
        Some(_) => Some("public"),
        None => None,
    }
}

/// The tables of these names.
pub(crate) async fn tables(wire: &mut Wire, names: &[String]) -> Result<Vec<FoundTable>> {
    let names: Vec<String> = names.iter().map(|name| literal(name)).collect();
    let look = format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMNS \
         WHERE LOWER(TABLE_NAME) IN ({}) ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION",
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
        let lock = |tool| locks(&ForeignLock::Tool(tool), "mydb").map(|mut keys| keys.remove(0));
        for (tool, name) in [
            (Tool::EfCore, "__EFMigrationsLock"),
            (Tool::Flyway, "Flyway--804152094"),
            (Tool::Kysely, "kysely_migration"),
            (Tool::Prisma, "prisma_migrate"),
            (Tool::Wolverine, "4006"),
        ] {
            assert_eq!(lock(tool).unwrap().as_foreign(), Some(name));
        }
        assert_eq!(
            lock(Tool::Goose).unwrap_err().kind(),
            ErrorKind::Unsupported
        );
        assert_eq!(principal(Some(Tool::Kysely)), Some("dbo"));
    }
}
