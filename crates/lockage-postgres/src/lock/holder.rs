//! Finds the session that holds a lock, and describes what it does.

use lockage_core::{LockHolder, LockKey};
use lockage_sql::Row;

use super::key::matches_lock_sql;
use crate::application_name;
use crate::dialect::time_text;
use crate::simple_query::summary;

/// Returns a query for the holder of an advisory lock; [`from_row`] reads its row. Columns that the user has no privilege to see
/// are NULL.
pub(crate) fn find_holder(key: &LockKey) -> String {
    format!(
        "SELECT {} FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
         LEFT JOIN pg_catalog.pg_stat_progress_create_index i ON i.pid = l.pid \
         WHERE l.pid IS NOT NULL AND {} LIMIT 1",
        columns("l.pid"),
        matches_lock_sql(key, "l."),
    )
}

/// Returns the query for the holder of a row with a lease; [`from_row`] reads its rows.
///
/// A holder that connects through a transaction-pooling proxy has no session of its own: the query then finds the sessions that
/// run a migration at this moment.
pub(crate) fn describe_session(session: Option<i32>) -> String {
    let is_holder = session.map_or_else(
        || "a.state = 'active' AND a.application_name ~ 'lockage@[^ ]+ [VR]'".to_owned(),
        |pid| format!("a.pid = {pid}"),
    );
    format!(
        "SELECT {} FROM pg_catalog.pg_stat_activity a LEFT JOIN pg_catalog.pg_stat_progress_create_index i ON i.pid = a.pid \
         WHERE a.datname = pg_catalog.current_database() AND {is_holder}",
        columns("a.pid"),
    )
}

fn columns(pid: &str) -> String {
    format!(
        "{pid}, a.usename, coalesce(a.client_hostname, pg_catalog.host(a.client_addr)), a.application_name, {since}, \
         CASE WHEN a.state = 'active' THEN a.query END, \
         CASE WHEN a.state = 'active' AND a.wait_event_type = 'Lock' THEN \
         'waits for ' || coalesce('session ' || nullif(pg_catalog.array_to_string(pg_catalog.pg_blocking_pids({pid}), ', '), ''), 'a lock') \
         WHEN a.state = 'active' AND i.pid IS NOT NULL THEN 'builds an index: ' || i.phase \
         || coalesce(', ' || (100 * i.blocks_done / nullif(i.blocks_total, 0)) || ' %', '') \
         WHEN a.state = 'active' THEN 'works' \
         WHEN a.state IS NOT NULL THEN 'idle' END || coalesce(' since ' || {state_since}, '')",
        since = time_text("a.backend_start"),
        state_since =
            time_text("CASE WHEN a.state = 'active' THEN a.query_start ELSE a.state_change END"),
    )
}

/// Reads a row of [`find_holder`] or [`describe_session`].
pub(crate) fn from_row(row: Row) -> LockHolder {
    let mut columns = row.into_iter();
    let mut next = || columns.next().flatten().filter(|text| !text.is_empty());
    let mut holder = LockHolder::default();
    holder.session = next();
    holder.user = next();
    holder.host = next();
    holder.application = next();
    holder.since = next();
    let query = next();
    holder.progress = next();
    let mut number = None;
    if let Some(name) = holder
        .application
        .as_deref()
        .and_then(application_name::parse)
    {
        number = name.statement;
        holder.migration = name.migration.map(str::to_owned);
        // For a client on a Unix socket, the server reports no host.
        holder.host = holder.host.or_else(|| Some(name.host.to_owned()));
    }
    holder.statement = query.map(|query| summary(&query, number));
    holder
}
