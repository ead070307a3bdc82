//! What is set for the session, and set back between migrations.

use std::time::Duration;

use lockage_sql::double_quoted;

use crate::dialect::literal;

/// Names and values.
pub(crate) type Settings = Vec<(&'static str, String)>;

/// Lets the server notice within seconds that this host has vanished, and so free the lock: idle by keepalives, with an answer
/// underway by the user timeout, in the middle of a statement by the check interval. Needs no right. And has it read scripts as
/// they are split.
pub(crate) fn of_session(server_version: u32) -> Settings {
    let mut settings = vec![
        ("client_encoding", "UTF8".to_owned()),
        ("standard_conforming_strings", "on".to_owned()),
        ("tcp_keepalives_idle", "5".to_owned()),
        ("tcp_keepalives_interval", "2".to_owned()),
        ("tcp_keepalives_count", "3".to_owned()),
        ("tcp_user_timeout", "8000".to_owned()),
    ];
    if server_version >= 14 {
        settings.push(("client_connection_check_interval", "1000".to_owned()));
    }
    settings
}

/// A query that sets them for the session.
pub(crate) fn set(settings: &Settings) -> String {
    let calls: Vec<String> = settings
        .iter()
        .map(|(name, value)| format!("pg_catalog.set_config('{name}', {}, false)", literal(value)))
        .collect();
    format!("SELECT {}", calls.join(", "))
}

/// Statements that undo what a script before may have set, and set what the next one needs. They commit by themselves, so that
/// they hold however the script ends, and so that its transaction begins with the defaults for transactions.
pub(crate) fn start_afresh(settings: &Settings, schema: Option<&str>) -> Vec<String> {
    let mut statements: Vec<String> = [
        "BEGIN",
        "RESET SESSION AUTHORIZATION",
        "RESET ROLE",
        "RESET ALL",
    ]
    .map(str::to_owned)
    .into();
    statements.push(set(settings));
    if let Some(schema) = schema {
        // What the session finds otherwise, extensions for instance, it goes on finding.
        statements.push(format!(
            "SELECT pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ', {}, nullif(pg_catalog.current_setting('search_path'), '')), false)",
            literal(&double_quoted(schema))
        ));
    }
    statements.push("COMMIT".into());
    statements
}

/// Statements that undo, within a script's transaction, what would keep our own rows from being written.
pub(crate) const AS_OURSELVES: [&str; 5] = [
    "SET LOCAL statement_timeout = 0",
    "RESET SESSION AUTHORIZATION",
    "RESET ROLE",
    "SET client_encoding = 'UTF8'",
    "SET standard_conforming_strings = on",
];

/// The same until the end of the transaction only, for a script whose settings are to outlive it.
pub(crate) const AS_OURSELVES_FOR_NOW: [&str; 3] = [
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL SESSION AUTHORIZATION DEFAULT",
    "SET LOCAL role TO DEFAULT",
];

/// A time limit, as the server takes it; never zero, which would be no limit.
pub(crate) fn milliseconds(limit: Duration) -> u32 {
    u32::try_from(limit.as_millis())
        .unwrap_or(u32::MAX)
        .clamp(1, i32::MAX.cast_unsigned())
}
