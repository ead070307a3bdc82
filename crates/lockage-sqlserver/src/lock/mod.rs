//! The lock that a session holds in a database: `sp_getapplock`.

mod end;
mod holder;
mod key;

use lockage_core::{Error, ErrorKind, LockKey, Result};

use crate::dialect::literal;
use crate::error;
use crate::neighbour;
use crate::wire::{Broken, Wire};

pub(crate) use end::end;
pub(crate) use holder::holder;
pub(crate) use key::resource;

/// How long the server may wait for the lock in one try, in milliseconds: a request that does not wait costs the server's log as much as one
/// that does, and would be made more often.
const TRY_MS: u32 = 1000;

/// One lock, in the words of the server.
#[derive(Debug, Clone)]
pub(crate) struct Lock {
    resource: String,
    principal: String,
    key: LockKey,
}

impl Lock {
    pub(crate) fn new(key: &LockKey, principal: &str) -> Self {
        let principal = neighbour::principal(key.tool()).unwrap_or(principal);
        Self {
            resource: literal(&key::resource(key)),
            principal: literal(principal),
            key: key.clone(),
        }
    }

    /// The mode in which the session that asks has it.
    fn mode(&self) -> String {
        format!(
            "APPLOCK_MODE({}, {}, N'Session')",
            self.principal, self.resource
        )
    }

    /// True while the session that asks holds it.
    pub(crate) fn condition(&self) -> String {
        format!("{} = N'Exclusive'", self.mode())
    }

    /// Asks for the lock, unless it is held already: it would be held twice, and one release would not free it.
    fn take(&self) -> String {
        format!(
            "DECLARE @lockage INT = 0; \
             IF COALESCE({mode}, N'NoLock') <> N'Exclusive' EXEC @lockage = sp_getapplock @Resource = {resource}, @LockMode = N'Exclusive', \
             @LockOwner = N'Session', @LockTimeout = {TRY_MS}, @DbPrincipal = {principal}; \
             SELECT @lockage, {mode}",
            mode = self.mode(),
            resource = self.resource,
            principal = self.principal,
        )
    }

    fn give_back(&self) -> String {
        format!(
            "DECLARE @lockage INT = -999; \
             IF {mode} = N'Exclusive' EXEC @lockage = sp_releaseapplock @Resource = {resource}, @LockOwner = N'Session', \
             @DbPrincipal = {principal}; \
             SELECT @lockage, {mode}",
            mode = self.mode(),
            resource = self.resource,
            principal = self.principal,
        )
    }
}

/// Babelfish keeps the error by which it knows that a lock was busy, and dies of the fifth; an error that it sends or that is caught clears
/// them away.
pub(super) const CLEAR_AWAY: &str =
    "BEGIN TRY THROW 54008, N'lockage', 1; END TRY BEGIN CATCH END CATCH";

/// Why a try came to nothing.
pub(crate) enum Refused {
    /// The engine has no such locks.
    Unknown(Error),
    Other(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Asks once.
pub(crate) async fn try_lock(
    wire: &mut Wire,
    lock: &Lock,
    babelfish: bool,
) -> Result<bool, Refused> {
    let answer = wire.run(&lock.take()).await;
    if babelfish {
        wire.run(CLEAR_AWAY).await.map_err(plain)?;
    }
    let answer = match answer {
        Ok(sets) => sets,
        Err(broken) => return Err(refused(broken)),
    };
    let row = answer.last().and_then(|rows| rows.first());
    let code = row.and_then(|row| row.first()?.as_deref());
    match code {
        // At once, or after a wait.
        Some("0" | "1") => {
            if row.and_then(|row| row.get(1)?.as_deref()) == Some("Exclusive") {
                return Ok(true);
            }
            Err(Error::new(
                ErrorKind::Unsupported,
                format!("the server granted the lock {} and does not know that this session holds it; nothing was written", lock.key),
            )
            .with_hint("behind a proxy, connect to the server itself, or use another lock with --lock-strategy table")
            .into())
        }
        // Timed out; chosen as the victim of a deadlock, which a later try need not be.
        Some("-1" | "-3") => Ok(false),
        Some("-999") if babelfish => Ok(false),
        Some("-2") => Err(Error::new(
            ErrorKind::Interrupted,
            format!("the request for the lock {} was cancelled", lock.key),
        )
        .into()),
        code => {
            let code = code.unwrap_or("NULL");
            let said: Vec<String> = wire
                .take_notices()
                .into_iter()
                .map(|notice| notice.message)
                .collect();
            let said = if said.is_empty() {
                String::new()
            } else {
                format!(": {}", said.join("; "))
            };
            Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "sp_getapplock answered {code} to the request for the lock {}{said}",
                    lock.key
                ),
            )
            .with_hint("use another lock, with --lock-strategy table")
            .into())
        }
    }
}

/// What an error in place of a code means.
fn refused(broken: Broken) -> Refused {
    let number = broken.error.code();
    let made = error::plain(broken.error);
    Refused::Other(match number {
        // No right to execute it; no such procedure or function.
        Some(229) => Error::new(ErrorKind::Unsupported, made.message())
            .with_hint("GRANT EXECUTE ON sys.sp_getapplock TO the user, or use another lock with --lock-strategy table")
            .with_source(made),
        Some(195 | 2812 | 4121) => {
            return Refused::Unknown(
                Error::new(
                    ErrorKind::Unsupported,
                    format!("this engine has no application locks: {}", made.message()),
                )
                .with_hint("use another lock, with --lock-strategy table")
                .with_source(made),
            );
        }
        // No such principal, or none of its members.
        Some(1202 | 15151 | 15406) => Error::new(ErrorKind::InvalidConfig, made.message())
            .with_hint("name a role that the user is a member of with db_principal= in the URL")
            .with_source(made),
        _ => made,
    })
}

pub(crate) async fn holds(wire: &mut Wire, lock: &Lock) -> Result<bool> {
    let sql = format!("SELECT CASE WHEN {} THEN 1 ELSE 0 END", lock.condition());
    let sets = wire.run(&sql).await.map_err(plain)?;
    let row = sets.last().and_then(|rows| rows.first());
    Ok(row.and_then(|row| row.first()?.as_deref()) == Some("1"))
}

pub(crate) async fn unlock(wire: &mut Wire, lock: &Lock) -> Result<()> {
    let sets = wire.run(&lock.give_back()).await.map_err(plain)?;
    let row = sets.last().and_then(|rows| rows.first());
    if row.and_then(|row| row.first()?.as_deref()) == Some("0") {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::LockLost,
        format!("this session did not hold the lock {}", lock.key),
    ))
}

fn plain(broken: Broken) -> Error {
    error::plain(broken.error)
}
