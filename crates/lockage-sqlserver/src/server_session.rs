//! Identifies sessions in `sys.dm_exec_sessions`, for the lock in a table. Another user's sessions need VIEW SERVER STATE.

use std::time::Duration;

use lockage_core::{LockHolder, Result};
use tokio::time::Instant;

use crate::dialect::literal;
use crate::driver::{DriverConnection, QueryError, first_value};

/// How long a terminated session may take to end. Its transaction is rolled back first.
const TERMINATE_TIMEOUT: Duration = Duration::from_secs(2);

const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Separates a session's number and start time in the lock's row.
const STARTED_AT_SEPARATOR: &str = " since ";

/// A session of one server. The server reuses numbers, and other servers use the same ones, so the start time belongs to the
/// identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerSession {
    number: u32,
    /// The start time as the server formats it.
    started_at: String,
}

impl ServerSession {
    /// Reads the identity of the current session; `None` if the server does not list its sessions.
    pub(crate) async fn current(driver: &mut DriverConnection) -> Option<Self> {
        let sql = "SELECT CONVERT(NVARCHAR(20), session_id), CONVERT(NVARCHAR(30), login_time, 126) \
                   FROM sys.dm_exec_sessions WHERE session_id = @@SPID";
        let sets = driver.query(sql).await.ok()?;
        let mut row = sets.into_iter().flatten().next()?;
        let started_at = row.pop()??;
        let number = row.pop()??.parse().ok()?;
        Some(Self { number, started_at })
    }

    /// Returns the session as the lock's row stores it: `57 since 2026-01-31T09:30:00.123`.
    pub(crate) fn id(&self) -> String {
        format!("{}{STARTED_AT_SEPARATOR}{}", self.number, self.started_at)
    }

    fn parse(id: &str) -> Option<Self> {
        let (number, started_at) = id.split_once(STARTED_AT_SEPARATOR)?;
        Some(Self {
            number: number.parse().ok()?,
            started_at: started_at.to_owned(),
        })
    }

    /// Returns an SQL condition that is true while the session exists and the server shows it to the user.
    pub(crate) fn exists_sql(&self) -> String {
        format!(
            "EXISTS (SELECT 1 FROM sys.dm_exec_sessions WHERE session_id = {} AND CONVERT(NVARCHAR(30), login_time, 126) = {})",
            self.number,
            literal(&self.started_at)
        )
    }

    async fn exists(&self, driver: &mut DriverConnection) -> Result<bool> {
        let sql = format!("SELECT CASE WHEN {} THEN 1 ELSE 0 END", self.exists_sql());
        let sets = driver.query(&sql).await.map_err(QueryError::into_error)?;
        Ok(first_value(sets).as_deref() == Some("1"))
    }
}

/// Terminates a session that the lock's row names, and waits until it has ended. Returns `false` if it still exists.
///
/// A session that the server does not show to this user counts as ended.
pub(crate) async fn terminate_session(driver: &mut DriverConnection, id: &str) -> Result<bool> {
    let Some(session) = ServerSession::parse(id) else {
        return Ok(true);
    };
    if !session.exists(driver).await? {
        return Ok(true);
    }
    // KILL fails without the permission, and also if the session has ended meanwhile. The next query distinguishes these.
    let kill = format!("KILL {}", session.number);
    let is_rejected = driver.query(&kill).await.is_err();
    let started_at = Instant::now();
    while session.exists(driver).await? {
        if is_rejected || started_at.elapsed() > TERMINATE_TIMEOUT {
            return Ok(false);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(true)
}

/// Returns whether the server shows a session to this user.
pub(crate) async fn is_visible(driver: &mut DriverConnection, id: &str) -> bool {
    match ServerSession::parse(id) {
        Some(session) => matches!(session.exists(driver).await, Ok(true)),
        None => false,
    }
}

/// Adds the running statement to a holder, if the server shows it to this user.
pub(crate) async fn enrich_holder(driver: &mut DriverConnection, holder: &mut LockHolder) {
    let Some(session) = holder.session.as_deref().and_then(ServerSession::parse) else {
        return;
    };
    let sql = format!(
        "SELECT LEFT(t.text, 2000) FROM sys.dm_exec_requests AS r CROSS APPLY sys.dm_exec_sql_text(r.sql_handle) AS t \
         WHERE r.session_id = {} AND {}",
        session.number,
        session.exists_sql()
    );
    if let Ok(sets) = driver.query(&sql).await {
        holder.statement = first_value(sets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_id_round_trips() {
        let session = ServerSession {
            number: 57,
            started_at: "2026-01-31T09:30:00.123".into(),
        };
        assert_eq!(session.id(), "57 since 2026-01-31T09:30:00.123");
        assert_eq!(ServerSession::parse(&session.id()), Some(session));
        assert_eq!(ServerSession::parse("57"), None);
    }
}
