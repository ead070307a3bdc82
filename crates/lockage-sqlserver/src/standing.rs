//! Whether a session stands on the server, for the lock in a table: asked where the server lists its sessions, and shows them to who asks.

use std::time::Duration;

use lockage_core::{LockHolder, Result};
use tokio::time::Instant;

use crate::dialect::literal;
use crate::error;
use crate::wire::Wire;

/// How long a session that is to end may take to do so: what it had begun is taken back first.
const PATIENCE: Duration = Duration::from_secs(2);

const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Between a session's number and its beginning, in the lock's row.
const SINCE: &str = " since ";

/// One session: numbers are given again, and another server gives them too, so its beginning is a part of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    number: u32,
    /// As the server tells it.
    begun: String,
}

impl Standing {
    /// The session that asks; `None` where the server does not list sessions.
    pub(crate) async fn own(wire: &mut Wire) -> Option<Self> {
        let sql = "SELECT CONVERT(NVARCHAR(20), session_id), CONVERT(NVARCHAR(30), login_time, 126) \
                   FROM sys.dm_exec_sessions WHERE session_id = @@SPID";
        let mut row = wire.run(sql).await.ok()?.into_iter().flatten().next()?;
        let begun = row.pop()??;
        let number = row.pop()??.parse().ok()?;
        Some(Self { number, begun })
    }

    /// As it stands in the row: `57 since 2026-01-31T09:30:00.123`.
    pub(crate) fn name(&self) -> String {
        format!("{}{SINCE}{}", self.number, self.begun)
    }

    fn parse(name: &str) -> Option<Self> {
        let (number, begun) = name.split_once(SINCE)?;
        Some(Self {
            number: number.parse().ok()?,
            begun: begun.to_owned(),
        })
    }

    /// True while it stands, for those to whom the server shows it.
    pub(crate) fn condition(&self) -> String {
        format!(
            "EXISTS (SELECT 1 FROM sys.dm_exec_sessions WHERE session_id = {} AND CONVERT(NVARCHAR(30), login_time, 126) = {})",
            self.number,
            literal(&self.begun)
        )
    }

    async fn stands(&self, wire: &mut Wire) -> Result<bool> {
        let sql = format!("SELECT CASE WHEN {} THEN 1 ELSE 0 END", self.condition());
        let sets = wire
            .run(&sql)
            .await
            .map_err(|broken| error::plain(broken.error))?;
        let answer = sets.into_iter().flatten().flatten().next().flatten();
        Ok(answer.as_deref() == Some("1"))
    }
}

/// Has the server end a session that the lock's row names, and waits until it is gone; `false` where it stays. One that is not shown to this
/// user counts as gone.
pub(crate) async fn end(wire: &mut Wire, name: &str) -> Result<bool> {
    let Some(session) = Standing::parse(name) else {
        return Ok(true);
    };
    if !session.stands(wire).await? {
        return Ok(true);
    }
    // Refused where a right is missing, or where it is gone by now: the look behind it tells.
    let refused = wire.run(&format!("KILL {}", session.number)).await.is_err();
    let begun = Instant::now();
    while session.stands(wire).await? {
        if refused || begun.elapsed() > PATIENCE {
            return Ok(false);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(true)
}

/// Whether the server shows a session to this user.
pub(crate) async fn is_shown(wire: &mut Wire, name: &str) -> bool {
    match Standing::parse(name) {
        Some(session) => matches!(session.stands(wire).await, Ok(true)),
        None => false,
    }
}

/// Adds the statement that a holder has in hand, where the server shows it to this user.
pub(crate) async fn enrich_holder(wire: &mut Wire, holder: &mut LockHolder) {
    let Some(session) = holder.session.as_deref().and_then(Standing::parse) else {
        return;
    };
    let sql = format!(
        "SELECT LEFT(t.text, 2000) FROM sys.dm_exec_requests AS r CROSS APPLY sys.dm_exec_sql_text(r.sql_handle) AS t \
         WHERE r.session_id = {} AND {}",
        session.number,
        session.condition()
    );
    if let Ok(sets) = wire.run(&sql).await {
        holder.statement = sets.into_iter().flatten().flatten().next().flatten();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        let standing = Standing {
            number: 57,
            begun: "2026-01-31T09:30:00.123".into(),
        };
        assert_eq!(standing.name(), "57 since 2026-01-31T09:30:00.123");
        assert_eq!(Standing::parse(&standing.name()), Some(standing));
        assert_eq!(Standing::parse("57"), None);
    }
}
