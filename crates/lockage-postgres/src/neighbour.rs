//! The locks of other tools: numbers of advisory locks.

use lockage_core::{Error, ErrorKind, FoundTable, LockKey, ForeignLock, Result, Tool};
use lockage_sql::neighbour::{
    find_tables, golang_migrate, java_hash, rails, sqlx, sqlx_migrator,
};

use crate::dialect::literal;
use crate::link::Link;

/// What stands in Flyway's numbers before the hash of its table: `Flyway`, in bytes.
const FLYWAY: i64 = 77_431_708_279_161;

/// What the numbers of some tools depend on.
#[derive(Debug)]
struct ErrorPosition {
    database: String,
    /// The schemas that have the tool's table; where none has, the one that it would make it in.
    schemas: Vec<String>,
}

/// The locks of a neighbour, as keys.
pub(crate) async fn locks(link: &mut Link, neighbour: &ForeignLock) -> Result<Vec<LockKey>> {
    let (tool, numbers) = match neighbour {
        ForeignLock::Tool(tool) => (Some(*tool), numbers(*tool, &place(link, *tool).await?)?),
        ForeignLock::Lock(text) => match text.parse() {
            Ok(number) => (None, vec![number]),
            Err(_) => {
                return Err(Error::new(
                    ErrorKind::InvalidConfig,
                    format!("`{text}` is no number of an advisory lock of PostgreSQL"),
                ));
            }
        },
        _ => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "this kind of neighbour is not known here",
            ));
        }
    };
    let key = |number: i64| LockKey::foreign(tool, number.to_string());
    Ok(numbers.into_iter().map(key).collect())
}

/// The numbers that a tool locks.
fn numbers(tool: Tool, place: &ErrorPosition) -> Result<Vec<i64>> {
    let ErrorPosition { database, schemas } = place;
    Ok(match tool {
        Tool::Atlas => vec![2_686_470_616],
        Tool::Evolve => vec![12_345],
        Tool::Flyway => schemas
            .iter()
            .map(|schema| {
                FLYWAY
                    + i64::from(java_hash(&format!(
                        "\"{schema}\".\"flyway_schema_history\""
                    )))
            })
            .collect(),
        // Opened as a library, and by URL, where it takes the path of the URL with its slash for the name.
        Tool::GolangMigrate => schemas
            .iter()
            .flat_map(|schema| {
                ["", "/"].map(|slash| {
                    golang_migrate(&format!("{schema}\0schema_migrations\0{slash}{database}"))
                })
            })
            .map(i64::from)
            .collect(),
        // From 3.26 on, and before.
        Tool::Goose => vec![4_097_083_626, 5_887_940_537_704_921_958],
        Tool::GraphileMigrate => vec![4_727_445_306_447_283],
        Tool::Kysely => vec![3_853_314_791_062_309_107],
        Tool::Marten => vec![4004],
        Tool::NodePgMigrate => vec![7_241_865_325_823_964],
        Tool::Pgroll => vec![12_388_221_127_840_347],
        Tool::Prisma => vec![72_707_369],
        Tool::Rails => vec![rails(database)],
        Tool::Reshape => vec![4_036_779_288_569_897_133],
        Tool::Sqitch => vec![75_474_063],
        Tool::Sqlx => vec![sqlx(database)],
        Tool::SqlxMigrator => vec![sqlx_migrator(database).into()],
        Tool::Tern => vec![9_628_173_550_095_224],
        Tool::Wolverine => vec![4006],
        Tool::Ecto => {
            return Err(tool.refused(
                "it locks its table within each transaction of its own, and a session of ours cannot hold that across several; where it is \
                 set up with :pg_advisory_lock, name the number of that lock with lock:<number>",
            ));
        }
        Tool::EfCore => {
            return Err(tool.refused(
                "it locks its history table within its own transaction, and a session of ours cannot hold that across several",
            ));
        }
        tool => return Err(tool.refused("its lock on PostgreSQL is not known")),
    })
}

async fn place(link: &mut Link, tool: Tool) -> Result<ErrorPosition> {
    let rows = link
        .query("SELECT pg_catalog.current_database(), pg_catalog.current_schema()")
        .await?;
    let mut columns = rows.into_iter().flatten();
    let mut next = || columns.next().flatten();
    let (database, current) = (next().unwrap_or_default(), next());
    let (table, column) = match tool {
        Tool::Flyway => ("flyway_schema_history", "installed_rank"),
        Tool::GolangMigrate => ("schema_migrations", "dirty"),
        _ => {
            return Ok(ErrorPosition {
                database,
                schemas: Vec::new(),
            });
        }
    };
    let mut schemas: Vec<String> = tables(link, &[table.to_owned()])
        .await?
        .into_iter()
        .filter(|found| found.name == table && found.columns.iter().any(|name| name == column))
        .map(|found| found.schema)
        .collect();
    if schemas.is_empty() {
        schemas.extend(current);
    }
    Ok(ErrorPosition { database, schemas })
}

/// The tables of these names, in whatever schema.
pub(crate) async fn tables(link: &mut Link, names: &[String]) -> Result<Vec<FoundTable>> {
    let names: Vec<String> = names.iter().map(|name| literal(name)).collect();
    let look = format!(
        "SELECT n.nspname, c.relname, a.attname FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         WHERE c.relkind IN ('r', 'p') AND pg_catalog.lower(c.relname::text) IN ({}) ORDER BY 1, 2, a.attnum",
        names.join(", ")
    );
    Ok(find_tables(link.query(&look).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_neighbours_never_change() {
        let place = ErrorPosition {
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
            assert_eq!(numbers(tool, &place).unwrap(), expected, "{tool}");
        }
    }

    #[test]
    fn what_is_not_served_says_why() {
        let place = ErrorPosition {
            database: "mydb".into(),
            schemas: Vec::new(),
        };
        for (tool, part) in [
            (Tool::Ecto, ":pg_advisory_lock"),
            (Tool::EfCore, "within its own transaction"),
        ] {
            let error = numbers(tool, &place).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.message().contains(part), "{error}");
        }
        // Each tool has a number, or a reason of its own.
        for tool in Tool::ALL.into_iter().filter(|tool| tool.has_lock().is_ok()) {
            if let Err(error) = numbers(tool, &place) {
                assert!(!error.message().contains("is not known"), "{error}");
            }
        }
    }
}
