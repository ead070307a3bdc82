//! Finds the session that holds an application lock.

use lockage_core::{LockHolder, Result};
use lockage_sql::Row;

use super::app_lock::{AppLock, CLEAR_BABELFISH_ERRORS};
use crate::driver::{DriverConnection, QueryError};

/// The user lacks a permission.
const ACCESS_DENIED: [u32; 5] = [229, 297, 300, 371, 15562];

/// Describes a holder that the server does not show to this user.
const HIDDEN_HOLDER: &str = "the permission VIEW SERVER STATE is needed to see more";

/// Describes a holder that the server does not list.
const UNLISTED_HOLDER: &str = "the server does not list the holders of its locks";

/// Finds the holder of a lock in the server's list of locks and sessions. Without access to that list, it only finds out
/// whether the lock is held.
pub(super) async fn find_holder(
    driver: &mut DriverConnection,
    lock: &AppLock,
    is_babelfish: bool,
) -> Result<Option<LockHolder>> {
    let (reason, listed) = match driver.query(&lock.holder_sql()).await {
        Ok(sets) => (HIDDEN_HOLDER, Some(sets)),
        Err(failure) => match failure.number() {
            Some(number) if ACCESS_DENIED.contains(&number) => (HIDDEN_HOLDER, None),
            Some(_) => (UNLISTED_HOLDER, None),
            None => return Err(failure.into_error()),
        },
    };
    match listed {
        Some(sets) => Ok(sets.into_iter().flatten().next().map(holder_from_row)),
        None => test_lock(driver, lock, is_babelfish, reason).await,
    }
}

fn holder_from_row(row: Row) -> LockHolder {
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
}

/// Tests whether a lock is held. `reason` says in the holder why no more is known.
async fn test_lock(
    driver: &mut DriverConnection,
    lock: &AppLock,
    is_babelfish: bool,
    reason: &str,
) -> Result<Option<LockHolder>> {
    let sql = format!(
        "SELECT CASE WHEN {} THEN -1 ELSE APPLOCK_TEST({}, {}, N'Exclusive', N'Session') END, CONVERT(NVARCHAR(20), @@SPID)",
        lock.is_held_sql(),
        lock.principal,
        lock.resource
    );
    let sets = driver.query(&sql).await;
    if is_babelfish {
        driver
            .query(CLEAR_BABELFISH_ERRORS)
            .await
            .map_err(QueryError::into_error)?;
    }
    let sets = sets.map_err(QueryError::into_error)?;
    let mut columns = sets.into_iter().flatten().next().into_iter().flatten();
    let is_free = columns.next().flatten();
    let mut holder = LockHolder::default();
    match is_free.as_deref() {
        Some("1") => return Ok(None),
        Some("-1") => holder.session = columns.next().flatten(),
        _ => holder.application = Some(reason.into()),
    }
    Ok(Some(holder))
}

impl AppLock {
    /// Returns the query for the lock's holder. `resource_description` contains the number of the database principal and the
    /// first 32 characters of the resource.
    fn holder_sql(&self) -> String {
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
