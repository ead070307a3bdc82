use lockage_sql::script::SQLITE;
use lockage_sql::{Dialect, double_quoted, single_quoted};

/// The schema of the database file itself; a script's temporary tables and attached files stand in others.
pub(crate) const SCHEMA: &str = "main";

/// How SQLite writes SQL.
pub static DIALECT: Dialect = Dialect {
    engine: "SQLite",
    syntax: &SQLITE,
    transactional_ddl: true,
    // Takes the write lock at once, so that what is read inside is what is written upon.
    begin: "BEGIN IMMEDIATE",
    commit: "COMMIT",
    rollback: "ROLLBACK",
    identifier: double_quoted,
    literal: single_quoted,
    text_type: |_| "TEXT".into(),
    integer_type: "INTEGER",
    time_type: "TEXT",
    now: "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
    time_text: str::to_owned,
    create_table: lockage_sql::create_if_not_exists,
    clock_ms: "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
    for_update: "",
    elapsed_ms: None,
};
