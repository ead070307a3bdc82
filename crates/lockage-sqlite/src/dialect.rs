//! How SQLite writes SQL.

use lockage_sql::script::SQLITE;
use lockage_sql::{Clock, Dialect};

/// The schema of the database file itself. Temporary tables and attached files have other schemas.
pub(crate) const SCHEMA: &str = "main";

/// How SQLite writes SQL.
pub static DIALECT: Dialect = Dialect::new("SQLite", &SQLITE, CLOCK)
    .with_transactional_ddl()
    // IMMEDIATE takes the write lock first, so that the transaction writes on the state that it read.
    .with_transaction("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK")
    .with_types(|_| "TEXT".into(), "INTEGER")
    .with_for_update("");

const CLOCK: Clock = Clock {
    time_type: "TEXT",
    now: "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
    to_text: str::to_owned,
    now_ms: "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
};
