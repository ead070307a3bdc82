//! Acquires and releases an application lock with `sp_getapplock`.

use lockage_core::{Error, ErrorKind, LockKey, Result};
use lockage_sql::{Row, lock_not_held_error};

use crate::dialect::literal;
use crate::driver::{DriverConnection, QueryError, last_row};
use crate::foreign_lock;
use crate::lock::key::resource;

/// How long the server may wait for the lock in one request, in milliseconds.
///
/// A request that waits costs the server's log as much as one that does not, and fewer requests are needed.
const LOCK_TIMEOUT_MS: u32 = 1000;

/// Removes the errors that Babelfish keeps for locks that were busy; the fifth crashes its session. An error that Babelfish
/// sends or catches removes them.
pub(super) const CLEAR_BABELFISH_ERRORS: &str =
    "BEGIN TRY THROW 54008, N'lockage', 1; END TRY BEGIN CATCH END CATCH";

/// An application lock and its SQL.
#[derive(Debug, Clone)]
pub(crate) struct AppLock {
    pub(super) resource: String,
    pub(super) principal: String,
    key: LockKey,
}

impl AppLock {
    /// `principal` is the database principal of Lockage's own locks.
    pub(crate) fn new(key: &LockKey, principal: &str) -> Self {
        let principal = foreign_lock::lock_principal(key.tool()).unwrap_or(principal);
        Self {
            resource: literal(&resource(key)),
            principal: literal(principal),
            key: key.clone(),
        }
    }

    /// Returns an expression for the mode in which the session holds the lock.
    fn mode_sql(&self) -> String {
        format!(
            "APPLOCK_MODE({}, {}, N'Session')",
            self.principal, self.resource
        )
    }

    /// Returns a condition that is true while the session holds the lock.
    pub(crate) fn is_held_sql(&self) -> String {
        format!("{} = N'Exclusive'", self.mode_sql())
    }

    /// Returns a batch that requests the lock, unless the session holds it: a second request would need a second release.
    fn acquire_sql(&self) -> String {
        format!(
            "DECLARE @lockage INT = 0; \
             IF COALESCE({mode}, N'NoLock') <> N'Exclusive' EXEC @lockage = sp_getapplock @Resource = {resource}, @LockMode = N'Exclusive', \
             @LockOwner = N'Session', @LockTimeout = {LOCK_TIMEOUT_MS}, @DbPrincipal = {principal}; \
             SELECT @lockage, {mode}",
            mode = self.mode_sql(),
            resource = self.resource,
            principal = self.principal,
        )
    }

    /// Returns a batch that releases the lock if the session holds it.
    fn release_sql(&self) -> String {
        format!(
            "DECLARE @lockage INT = -999; \
             IF {mode} = N'Exclusive' EXEC @lockage = sp_releaseapplock @Resource = {resource}, @LockOwner = N'Session', \
             @DbPrincipal = {principal}; \
             SELECT @lockage, {mode}",
            mode = self.mode_sql(),
            resource = self.resource,
            principal = self.principal,
        )
    }
}

/// Why a request for the lock failed.
pub(super) enum LockFailure {
    /// The engine has no application locks.
    Unsupported(Error),
    /// Any other error.
    Other(Error),
}

impl From<Error> for LockFailure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Requests the lock once. Returns `false` if another session holds it.
pub(super) async fn try_lock(
    driver: &mut DriverConnection,
    lock: &AppLock,
    is_babelfish: bool,
) -> Result<bool, LockFailure> {
    let reply = driver.query(&lock.acquire_sql()).await;
    if is_babelfish {
        driver
            .query(CLEAR_BABELFISH_ERRORS)
            .await
            .map_err(QueryError::into_error)?;
    }
    let sets = reply.map_err(lock_error)?;
    let row = last_row(&sets);
    match value(row, 0) {
        // Granted immediately, or after other requests were released.
        Some("0" | "1") if value(row, 1) == Some("Exclusive") => Ok(true),
        Some("0" | "1") => Err(not_held_after_grant_error(&lock.key).into()),
        // Timed out, or chosen as a deadlock victim. A later request can succeed.
        Some("-1" | "-3") => Ok(false),
        Some("-999") if is_babelfish => Ok(false),
        Some("-2") => Err(Error::new(
            ErrorKind::Interrupted,
            format!("the request for the lock {} was cancelled", lock.key),
        )
        .into()),
        code => Err(unexpected_code_error(driver, &lock.key, code.unwrap_or("NULL")).into()),
    }
}

pub(super) async fn holds(driver: &mut DriverConnection, lock: &AppLock) -> Result<bool> {
    let sql = format!("SELECT CASE WHEN {} THEN 1 ELSE 0 END", lock.is_held_sql());
    let sets = driver.query(&sql).await.map_err(QueryError::into_error)?;
    Ok(value(last_row(&sets), 0) == Some("1"))
}

pub(super) async fn unlock(driver: &mut DriverConnection, lock: &AppLock) -> Result<()> {
    let sets = driver
        .query(&lock.release_sql())
        .await
        .map_err(QueryError::into_error)?;
    match value(last_row(&sets), 0) {
        Some("0") => Ok(()),
        _ => Err(lock_not_held_error(&lock.key)),
    }
}

fn value(row: Option<&Row>, column: usize) -> Option<&str> {
    row?.get(column)?.as_deref()
}

fn not_held_after_grant_error(key: &LockKey) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("the server granted lock {key} but does not report this session as its holder; nothing was written"),
    )
    .with_hint("connect to the server without a proxy, or use another lock with --lock-strategy table")
}

/// Returns the error of an undocumented code, with the messages of the server.
fn unexpected_code_error(driver: &DriverConnection, key: &LockKey, code: &str) -> Error {
    let messages: Vec<String> = driver
        .take_notices()
        .into_iter()
        .map(|notice| notice.message)
        .collect();
    let details = match messages.is_empty() {
        true => String::new(),
        false => format!(": {}", messages.join("; ")),
    };
    Error::new(
        ErrorKind::Unsupported,
        format!("sp_getapplock returned {code} for the lock {key}{details}"),
    )
    .with_hint("use another lock with --lock-strategy table")
}

/// Converts the error of a request that returned no code.
fn lock_error(failure: QueryError) -> LockFailure {
    let number = failure.number();
    let cause = failure.into_error();
    LockFailure::Other(match number {
        // The user lacks the permission to execute the procedure.
        Some(229) => Error::new(ErrorKind::Unsupported, cause.message())
            .with_hint("GRANT EXECUTE ON sys.sp_getapplock TO the user, or use another lock with --lock-strategy table")
            .with_source(cause),
        // The procedure or a function does not exist.
        Some(195 | 2812 | 4121) => {
            return LockFailure::Unsupported(
                Error::new(
                    ErrorKind::Unsupported,
                    format!("this engine has no application locks: {}", cause.message()),
                )
                .with_hint("use another lock with --lock-strategy table")
                .with_source(cause),
            );
        }
        // The database principal does not exist, or the user is not a member of it.
        Some(1202 | 15151 | 15406) => Error::new(ErrorKind::InvalidConfig, cause.message())
            .with_hint("name a role that the user is a member of with db_principal= in the URL")
            .with_source(cause),
        _ => cause,
    })
}
