//! Who holds a lock, and whether it makes progress.

use lockage_core::{LockHolder, LockKey};
use lockage_sql::Row;

use crate::application;
use crate::dialect::time_text;
use crate::key;
use crate::message::headline;

/// The query for [`read`]. What a user may not see of others, the server leaves empty.
pub(crate) fn look(key: &LockKey) -> String {
    format!(
        "SELECT {} FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
         LEFT JOIN pg_catalog.pg_stat_progress_create_index i ON i.pid = l.pid \
         WHERE l.pid IS NOT NULL AND {} LIMIT 1",
        columns("l.pid"),
        key::is_the_lock_in(key, "l."),
    )
}

/// The same of the holder of a row: of its session or, behind a pooler where no session is its own, of the sessions that have a migration in
/// hand at this moment.
pub(crate) fn look_at_session(session: Option<i32>) -> String {
    let is_the_session = session.map_or_else(
        || "a.state = 'active' AND a.application_name ~ 'lockage@[^ ]+ [VR]'".to_owned(),
        |pid| format!("a.pid = {pid}"),
    );
    format!(
        "SELECT {} FROM pg_catalog.pg_stat_activity a LEFT JOIN pg_catalog.pg_stat_progress_create_index i ON i.pid = a.pid \
         WHERE a.datname = pg_catalog.current_database() AND {is_the_session}",
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

/// Reads a row of [`look`].
pub(crate) fn read(row: Row) -> LockHolder {
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
    if let Some(told) = holder.application.as_deref().and_then(application::read) {
        number = told.statement;
        holder.migration = told.migration.map(str::to_owned);
        // Over a Unix socket, the server does not tell.
        holder.host = holder.host.or_else(|| Some(told.host.to_owned()));
    }
    holder.statement = query.map(|query| headline(&query, number));
    holder
}
