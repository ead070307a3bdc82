//! The locks of other tools, of which SQLite has none to take.

use lockage_core::{Error, ErrorKind, FoundTable, ForeignLock, Result, Tool};
use lockage_sql::neighbour::find_tables;
use lockage_sql::{Connection, single_quoted};

use crate::connection::SqliteConnection;

/// Why the lock of a neighbour is not taken.
pub(crate) fn refusal(neighbour: &ForeignLock) -> Error {
    match neighbour {
        ForeignLock::Tool(tool @ Tool::Wolverine) => tool.refused(
            "it is SQLite's own, BEGIN EXCLUSIVE, and there is none besides; each migration of ours holds it in turn, and waits while it is \
             held, without being asked to",
        ),
        ForeignLock::Tool(tool @ Tool::EfCore) => tool.refused(
            "it is a row that stays when whoever wrote it dies, so a run of ours that is killed would keep it out for ever",
        ),
        ForeignLock::Tool(tool) => tool.refused("it takes none on SQLite"),
        _ => Error::new(
            ErrorKind::Unsupported,
            "SQLite has no locks by number or name",
        ),
    }
}

/// The tables of these names.
pub(crate) async fn tables(
    connection: &mut SqliteConnection,
    names: &[String],
) -> Result<Vec<FoundTable>> {
    let names: Vec<String> = names.iter().map(|name| single_quoted(name)).collect();
    let look = format!(
        "SELECT '', m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c \
         WHERE m.type = 'table' AND lower(m.name) IN ({}) ORDER BY m.name, c.cid",
        names.join(", ")
    );
    let rows = match connection.query(&look).await {
        Ok(rows) => rows,
        Err(failure) if failure.cause == lockage_sql::FailureCause::MissingTable => Vec::new(),
        Err(failure) => return Err(failure.into()),
    };
    Ok(find_tables(rows))
}
