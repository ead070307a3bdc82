//! SQL that sets and resets session settings.

use std::time::Duration;

use lockage_sql::{Command, double_quoted};

use crate::dialect::literal;
use crate::lock::key;

const RESTORE_ENCODING: &str = "SET client_encoding = 'UTF8'";
const RESTORE_LOCAL_ENCODING: &str = "SET LOCAL client_encoding = 'UTF8'";

/// Names and values.
pub(crate) type Settings = Vec<(&'static str, String)>;

/// Undoes `setseed`: a value that no script can predict.
const RANDOM_SEED_QUERY: &str = "SELECT pg_catalog.setseed(pg_catalog.hashtext(pg_catalog.gen_random_uuid()::text) / 2147483648.0)";

/// Returns the settings that a session needs before it acquires the lock. None requires a privilege.
///
/// - The server splits texts as Lockage splits scripts, and it writes where the role or the database defaults to read only.
/// - The server notices within seconds that the client's host has vanished, and so releases the lock: keepalives detect it while
///   the session is idle, the user timeout while a reply is unacknowledged, the check interval while a statement runs.
pub(crate) fn session_settings(server_version: u32) -> Settings {
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
    if server_version >= 17 {
        // A limit of the role would end migrations: https://www.postgresql.org/docs/17/runtime-config-client.html
        settings.push(("transaction_timeout", "0".to_owned()));
    }
    settings
}

/// Returns a query that applies settings to the session.
pub(crate) fn set_config_query(settings: &Settings) -> String {
    let calls: Vec<String> = settings
        .iter()
        .map(|(name, value)| format!("pg_catalog.set_config('{name}', {}, false)", literal(value)))
        .collect();
    format!("SELECT {}", calls.join(", "))
}

/// Returns statements that remove what the previous script left in the session, and apply the settings of the next one. They
/// commit by themselves: they stay in effect if the script fails, and the script's transaction starts with the defaults for
/// transactions.
///
/// `DISCARD ALL` would also release the lock. `locks`: the ids of the advisory locks that stay held.
pub(crate) fn reset_session(
    settings: &Settings,
    schema: Option<&str>,
    role: Option<&str>,
    locks: &[i64],
) -> Vec<String> {
    let mut statements = vec![
        "BEGIN".to_owned(),
        "RESET SESSION AUTHORIZATION".to_owned(),
        set_role(role),
        "RESET ALL".to_owned(),
        // The removal of a leftover is no message for the user.
        "SET LOCAL client_min_messages = error".to_owned(),
        "CLOSE ALL".to_owned(),
        "DEALLOCATE ALL".to_owned(),
        "UNLISTEN *".to_owned(),
        "DISCARD TEMP".to_owned(),
        "DISCARD SEQUENCES".to_owned(),
        RANDOM_SEED_QUERY.to_owned(),
        key::release_others_sql(locks),
        set_config_query(settings),
    ];
    statements.extend(schema.map(set_search_path));
    statements.push("COMMIT".into());
    statements
}

/// Returns statements that apply settings until the end of the transaction, for a session that other clients share.
/// None is a query, so the script can still run SET TRANSACTION.
pub(crate) fn transaction_settings(settings: &Settings, search_path: Option<&str>) -> Vec<String> {
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

/// Returns a query for a search path that starts with `schema`. The rest of the current path stays, because it may contain
/// extensions.
pub(crate) fn search_path_query(schema: &str) -> String {
    format!("SELECT {}", search_path(schema))
}

fn search_path(schema: &str) -> String {
    format!(
        "pg_catalog.concat_ws(', ', {}, nullif(nullif(pg_catalog.current_setting('search_path'), ''), '\"\"'))",
        literal(&double_quoted(schema))
    )
}

fn set_search_path(schema: &str) -> String {
    format!(
        "SELECT pg_catalog.set_config('search_path', {}, false)",
        search_path(schema)
    )
}

/// Returns the statement that sets the role of the URL, or the login role.
pub(crate) fn set_role(role: Option<&str>) -> String {
    match role {
        Some(role) => format!("SET ROLE {}", double_quoted(role)),
        None => "RESET ROLE".to_owned(),
    }
}

/// Returns statements that undo, at the end of a script's transaction, settings that would prevent writing the history.
pub(crate) fn restore_identity(role: Option<&str>) -> Vec<String> {
    vec![
        "SET LOCAL statement_timeout = 0".to_owned(),
        "RESET SESSION AUTHORIZATION".to_owned(),
        set_role(role),
        RESTORE_ENCODING.to_owned(),
        "SET standard_conforming_strings = on".to_owned(),
    ]
}

/// Returns whether a command of [`restore_identity`] or [`restore_shared_session`] restores the encoding.
pub(crate) fn restores_encoding(command: &Command<'_>) -> bool {
    matches!(command, Command::Internal(sql) if sql == RESTORE_ENCODING || sql == RESTORE_LOCAL_ENCODING)
}

/// Does the same as [`restore_identity`] until the end of the transaction: the settings of the script stay in effect after it.
pub(crate) fn restore_identity_local(role: Option<&str>) -> Vec<String> {
    vec![
        "SET LOCAL statement_timeout = 0".to_owned(),
        "SET LOCAL SESSION AUTHORIZATION DEFAULT".to_owned(),
        match role {
            Some(role) => format!("SET LOCAL ROLE {}", double_quoted(role)),
            None => "SET LOCAL role TO DEFAULT".to_owned(),
        },
    ]
}

/// Does the same as [`restore_identity`] in a session that other clients share: no setting of the script remains in it.
pub(crate) fn restore_shared_session() -> Vec<String> {
    [
        "RESET SESSION AUTHORIZATION",
        "RESET ROLE",
        "RESET ALL",
        "SET LOCAL statement_timeout = 0",
        RESTORE_LOCAL_ENCODING,
        "SET LOCAL standard_conforming_strings = on",
    ]
    .map(str::to_owned)
    .into()
}

/// Returns a time limit in the server's unit; at least 1, because 0 means no limit.
pub(crate) fn milliseconds(limit: Duration) -> u32 {
    u32::try_from(limit.as_millis())
        .unwrap_or(u32::MAX)
        .clamp(1, i32::MAX.cast_unsigned())
}
