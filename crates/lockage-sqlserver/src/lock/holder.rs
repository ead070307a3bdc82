//! Who holds a lock.

use lockage_core::{LockHolder, Result};

use super::{CLEAR_AWAY, Lock, plain};
use crate::wire::Wire;

/// A right is missing.
const FORBIDDEN: [u32; 5] = [229, 297, 300, 371, 15562];

/// Told in place of what the user may not see.
const NOT_SHOWN: &str = "more is shown with the right VIEW SERVER STATE";

/// Told in place of what the server does not list.
const NOT_LISTED: &str = "the server does not list who holds its locks";

/// The holder of a lock: from the server's list of locks and sessions where the user may see them; else only whether there is one.
pub(crate) async fn holder(
    wire: &mut Wire,
    lock: &Lock,
    babelfish: bool,
) -> Result<Option<LockHolder>> {
    let (reason, listed) = match wire.run(&lock.look_up()).await {
        Ok(sets) => (NOT_SHOWN, Some(sets)),
        Err(broken)
            if broken
                .error
                .code()
                .is_some_and(|code| FORBIDDEN.contains(&code)) =>
        {
            (NOT_SHOWN, None)
        }
        Err(broken) if broken.error.code().is_some() => (NOT_LISTED, None),
        Err(broken) => return Err(plain(broken)),
    };
    if let Some(sets) = listed {
        let row = sets.into_iter().flatten().next();
        return Ok(row.map(|row| {
            let mut columns = row.into_iter();
            let mut next = || columns.next().flatten().filter(|text| !text.is_empty());
            let mut holder = LockHolder::default();
            holder.session = next();
            holder.user = next();
            holder.host = next();
            holder.application = next();
            holder.since = next();
            holder.statement = next();
            holder
        }));
    }
    let sql = format!(
        "SELECT CASE WHEN {} THEN -1 ELSE APPLOCK_TEST({}, {}, N'Exclusive', N'Session') END, CONVERT(NVARCHAR(20), @@SPID)",
        lock.condition(),
        lock.principal,
        lock.resource
    );
    let sets = wire.run(&sql).await;
    if babelfish {
        wire.run(CLEAR_AWAY).await.map_err(plain)?;
    }
    let row = sets.map_err(plain)?.into_iter().flatten().next();
    let mut columns = row.into_iter().flatten();
    let free = columns.next().flatten();
    let mut holder = LockHolder::default();
    match free.as_deref() {
        Some("1") => return Ok(None),
        Some("-1") => holder.session = columns.next().flatten(),
        _ => holder.application = Some(reason.into()),
    }
    Ok(Some(holder))
}

impl Lock {
    /// Looks for the lock where the server lists them: by its principal's number and the first 32 characters of its resource.
    fn look_up(&self) -> String {
        let (resource, principal) = (&self.resource, &self.principal);
        format!(
            "SELECT TOP (1) CONVERT(NVARCHAR(20), l.request_session_id), s.login_name, s.host_name, s.program_name, \
             CONVERT(NVARCHAR(30), DATEADD(MINUTE, DATEDIFF(MINUTE, SYSDATETIME(), SYSUTCDATETIME()), s.login_time), 126) + N'Z', \
             LEFT(t.text, 2000) \
             FROM sys.dm_tran_locks AS l \
             LEFT JOIN sys.dm_exec_sessions AS s ON s.session_id = l.request_session_id \
             LEFT JOIN sys.dm_exec_requests AS r ON r.session_id = l.request_session_id \
             OUTER APPLY sys.dm_exec_sql_text(r.sql_handle) AS t \
             WHERE l.resource_type = N'APPLICATION' AND l.resource_database_id = DB_ID() AND l.request_status = N'GRANT' \
             AND l.request_mode = N'X' AND CHARINDEX(CONVERT(NVARCHAR(12), DATABASE_PRINCIPAL_ID({principal})) + N':[' + \
             LEFT({resource}, 32) + N']:(' COLLATE Latin1_General_BIN2, l.resource_description COLLATE Latin1_General_BIN2) = 1"
        )
    }
}
