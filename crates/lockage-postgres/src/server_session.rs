//! Identifies and terminates sessions of the server, for the lock in a table.

use std::time::Duration;

use lockage_core::Result;
use lockage_sql::Row;
use tokio::time::Instant;

use crate::dialect::{literal, time_text};
use crate::driver::DriverConnection;
use crate::standby::IS_STANDBY_SQL;

/// The maximum time that a terminated session takes to end.
const TERMINATE_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A session of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerSession {
    pub(crate) pid: i32,
    /// Its start time: the server reuses process ids.
    started_at: String,
}

impl ServerSession {
    /// Returns a query for the current session; [`from_row`](Self::from_row) reads its row. The last column is
    /// [`IS_STANDBY_SQL`].
    pub(crate) fn current_sql() -> String {
        format!(
            "SELECT pid, {}, {IS_STANDBY_SQL} FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()",
            time_text("backend_start")
        )
    }

    pub(crate) fn from_row(row: &Row) -> Option<Self> {
        let value = |column: usize| row.get(column)?.clone();
        Some(Self {
            pid: value(0)?.parse().ok()?,
            started_at: value(1)?,
        })
    }

    /// Returns a condition that is true on other sessions while this one exists.
    pub(crate) fn exists_sql(&self) -> String {
        format!(
            "EXISTS (SELECT 1 FROM pg_catalog.pg_stat_activity WHERE pid = {} AND (backend_start IS NULL OR {} = {}))",
            self.pid,
            time_text("backend_start"),
            literal(&self.started_at)
        )
    }
}

/// Terminates the session of a holder whose lease expired. Returns `false` if the session still exists.
pub(crate) async fn terminate_expired_holder(
    driver: &mut DriverConnection,
    session: &str,
    since: Option<&str>,
) -> Result<bool> {
    let Ok(pid) = session.parse::<i32>() else {
        return Ok(true);
    };
    // A session that started after the lock was acquired has the same process id by chance.
    let same_session = since.map_or_else(
        || "true".to_owned(),
        |since| {
            format!(
                "(backend_start IS NULL OR backend_start <= {})",
                literal(since)
            )
        },
    );
    let from = format!(
        "FROM pg_catalog.pg_stat_activity WHERE pid = {pid} AND datname = pg_catalog.current_database() AND {same_session}"
    );
    // Without the privilege, only wait: the session may end by itself.
    let _ = driver
        .query(&format!(
            "SELECT pg_catalog.pg_terminate_backend(pid) {from}"
        ))
        .await;
    let deadline = Instant::now() + TERMINATE_TIMEOUT;
    loop {
        let rows = driver.query(&format!("SELECT 1 {from}")).await?;
        if rows.is_empty() {
            return Ok(true);
        }
        if Instant::now() > deadline {
            return Ok(false);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
