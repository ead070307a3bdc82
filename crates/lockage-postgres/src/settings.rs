//! What is set for the session, and set back between migrations.

use std::time::Duration;

use lockage_sql::double_quoted;

use crate::dialect::literal;

/// Names and values.
pub(crate) type Settings = Vec<(&'static str, String)>;

/// Lets the server notice within seconds that this host has vanished, and so free the lock: idle by keepalives, with an answer
/// underway by the user timeout, in the middle of a statement by the check interval. Needs no right. And has it read scripts as
/// they are split, and write where the role or the database is set to read only.
pub(crate) fn of_session(server_version: u32) -> Settings {
    let mut settings = vec![
        ("client_encoding", "UTF8".to_owned()),
        ("standard_conforming_strings", "on".to_owned()),
        ("default_transaction_read_only", "off".to_owned()),
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
pub(crate) fn start_afresh(
    settings: &Settings,
    schema: Option<&str>,
    role: Option<&str>,
) -> Vec<String> {
    let mut statements = vec![
        "BEGIN".to_owned(),
        "RESET SESSION AUTHORIZATION".to_owned(),
        take_role(role),
        "RESET ALL".to_owned(),
        set(settings),
    ];
    statements.extend(schema.map(search_first));
    statements.push("COMMIT".into());
    statements
}

/// Statements that set until the end of a transaction what must not stay in a session that others use too.
/// None of them is a query, before which a transaction says of what kind it is.
pub(crate) fn for_now(settings: &Settings, search_path: Option<&str>) -> Vec<String> {
    let mut statements: Vec<String> = [
        ("client_encoding", "UTF8"),
        ("standard_conforming_strings", "on"),
    ]
    .into_iter()
    .chain(settings.iter().map(|(name, value)| (*name, value.as_str())))
    .map(|(name, value)| format!("SET LOCAL {name} = {}", literal(value)))
    .collect();
    statements.extend(search_path.map(|path| format!("SET LOCAL search_path = {path}")));
    statements
}

/// A query for the path that leads to a schema first. What the session finds otherwise, extensions for instance, it goes on finding.
pub(crate) fn path_to(schema: &str) -> String {
    format!("SELECT {}", path(schema))
}

fn path(schema: &str) -> String {
    format!(
        "pg_catalog.concat_ws(', ', {}, nullif(nullif(pg_catalog.current_setting('search_path'), ''), '\"\"'))",
        literal(&double_quoted(schema))
    )
}

fn search_first(schema: &str) -> String {
    format!(
        "SELECT pg_catalog.set_config('search_path', {}, false)",
        path(schema)
    )
}

/// Takes the role that the URL names, or that of the login.
pub(crate) fn take_role(role: Option<&str>) -> String {
    match role {
        Some(role) => format!("SET ROLE {}", double_quoted(role)),
        None => "RESET ROLE".to_owned(),
    }
}

/// Statements that undo, within a script's transaction, what would keep our own rows from being written.
pub(crate) fn as_ourselves(role: Option<&str>) -> Vec<String> {
    vec![
        "SET LOCAL statement_timeout = 0".to_owned(),
        "RESET SESSION AUTHORIZATION".to_owned(),
        take_role(role),
        "SET client_encoding = 'UTF8'".to_owned(),
        "SET standard_conforming_strings = on".to_owned(),
    ]
}

/// The same until the end of the transaction only, for a script whose settings are to outlive it.
pub(crate) fn as_ourselves_for_now(role: Option<&str>) -> Vec<String> {
    vec![
        "SET LOCAL statement_timeout = 0".to_owned(),
        "SET LOCAL SESSION AUTHORIZATION DEFAULT".to_owned(),
        match role {
            Some(role) => format!("SET LOCAL ROLE {}", double_quoted(role)),
            None => "SET LOCAL role TO DEFAULT".to_owned(),
        },
    ]
}

/// The same in a session that others use too: nothing that a script has set stays in it.
pub(crate) fn as_found() -> Vec<String> {
    [
        "RESET SESSION AUTHORIZATION",
        "RESET ROLE",
        "RESET ALL",
        "SET LOCAL statement_timeout = 0",
        "SET LOCAL client_encoding = 'UTF8'",
        "SET LOCAL standard_conforming_strings = on",
    ]
    .map(str::to_owned)
    .into()
}

/// A time limit, as the server takes it; never zero, which would be no limit.
pub(crate) fn milliseconds(limit: Duration) -> u32 {
    u32::try_from(limit.as_millis())
        .unwrap_or(u32::MAX)
        .clamp(1, i32::MAX.cast_unsigned())
}
