//! Locks of other tools. On SQLite none can be acquired.

use lockage_core::{Error, ErrorKind, ForeignLock, Tool};
use lockage_sql::single_quoted;

/// Returns the reason why a foreign lock cannot be acquired.
pub(crate) fn unsupported(lock: &ForeignLock) -> Error {
    match lock {
        ForeignLock::Tool(tool @ Tool::Wolverine) => tool.unsupported_error(
            "it is the write lock of SQLite (BEGIN EXCLUSIVE); each migration acquires that lock anyway and waits while another tool holds it",
        ),
        ForeignLock::Tool(tool @ Tool::EfCore) => tool
            .unsupported_error("it is a table row without expiry; a killed run would leave it locked"),
        ForeignLock::Tool(tool) => tool.unsupported_error("it takes no lock on SQLite"),
        _ => Error::new(
            ErrorKind::Unsupported,
            "SQLite has no locks with a number or a name",
        ),
    }
}

/// Returns a query for schema, name and column of the tables with these names.
pub(crate) fn find_tables_sql(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| single_quoted(name)).collect();
    format!(
        "SELECT '', m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c \
         WHERE m.type = 'table' AND lower(m.name) IN ({}) ORDER BY m.name, c.cid",
        names.join(", ")
    )
}
