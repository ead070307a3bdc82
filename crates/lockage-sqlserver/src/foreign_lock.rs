//! Locks of other migration tools: the resources of their application locks.

use lockage_core::{Error, ErrorKind, ForeignLock, FoundTable, LockKey, Result, Tool};
use lockage_sql::foreign_lock_ids::{group_tables, java_string_hash};

use crate::dialect::literal;
use crate::driver::{DriverConnection, QueryError};

/// Returns the keys of a foreign lock.
pub(crate) fn keys(lock: &ForeignLock, database: &str) -> Result<Vec<LockKey>> {
    Ok(vec![match lock {
        ForeignLock::Tool(tool) => LockKey::foreign(Some(*tool), lock_name(*tool, database)?),
        ForeignLock::Native(name) => LockKey::foreign(None, name),
        _ => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "this backend does not support this kind of foreign lock",
            ));
        }
    }])
}

/// Returns the resource that a tool locks.
fn lock_name(tool: Tool, database: &str) -> Result<String> {
    Ok(match tool {
        Tool::EfCore => "__EFMigrationsLock".into(),
        Tool::Flyway => {
            let table = format!("[{database}].[dbo].[flyway_schema_history]");
            format!("Flyway-{}", java_string_hash(&table))
        }
        Tool::Kysely => "kysely_migration".into(),
        Tool::Prisma => "prisma_migrate".into(),
        Tool::Wolverine => "4006".into(),
        tool => {
            return Err(tool.unsupported_error("it has no known lock on SQL Server"));
        }
    })
}

/// Returns the database principal of a tool's lock; `None` for a lock that does not belong to a known tool.
pub(crate) fn lock_principal(tool: Option<Tool>) -> Option<&'static str> {
    match tool {
        Some(Tool::Kysely) => Some("dbo"),
        Some(_) => Some("public"),
        None => None,
    }
}

/// Finds the tables with these names, which are in lower case, in any schema.
pub(crate) async fn find_tables(
    driver: &mut DriverConnection,
    names: &[String],
) -> Result<Vec<FoundTable>> {
    let names: Vec<String> = names.iter().map(|name| literal(name)).collect();
    let sql = format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMNS \
         WHERE LOWER(TABLE_NAME) IN ({}) ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION",
        names.join(", ")
    );
    let sets = driver.query(&sql).await.map_err(QueryError::into_error)?;
    Ok(group_tables(sets.into_iter().flatten()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_lock_names_never_change() {
        let lock = |tool| keys(&ForeignLock::Tool(tool), "mydb").map(|mut keys| keys.remove(0));
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
        assert_eq!(lock_principal(Some(Tool::Kysely)), Some("dbo"));
    }
}
