//! The lock that a session holds in the server: `GET_LOCK`.

mod holder;
mod name;
mod provider;

use lockage_core::{Error, ErrorKind, LockKey, Result};

use crate::dialect::literal;
use crate::error;
use crate::wire::Wire;

pub(crate) use holder::holder;
pub(crate) use name::lock_name;

/// What came of asking for a lock.
enum Answer {
    Got,
    Busy,
    /// Neither: with the server's reason.
    Failed(String),
}

/// Asks once, and does not wait. A lock that is held already is not taken a second time: one release would not free it then.
pub(crate) async fn try_lock(wire: &mut Wire, key: &LockKey, name: &str) -> Result<bool> {
    match ask(wire, name).await? {
        Answer::Busy => Ok(false),
        Answer::Failed(reason) => Err(Error::new(
            ErrorKind::Unsupported,
            format!("the server gives no lock by the name `{name}`: {reason}"),
        )
        .with_hint("use another lock, with --lock-strategy table")),
        Answer::Got => {
            // An engine that answers 1 and locks nothing, or a proxy that answers for another session, is found out here.
            if holds(wire, name).await? {
                return Ok(true);
            }
            Err(Error::new(
                ErrorKind::Unsupported,
                format!("the server granted the lock {key} and does not know that this session holds it; nothing was written"),
            )
            .with_hint("behind a proxy, connect to the server itself, or use another lock with --lock-strategy table"))
        }
    }
}

async fn ask(wire: &mut Wire, name: &str) -> Result<Answer> {
    let name = literal(name);
    // Never a negative timeout: MariaDB answers NULL to it and locks nothing.
    let sql = format!("SELECT IF(IS_USED_LOCK({name}) = CONNECTION_ID(), 1, GET_LOCK({name}, 0))");
    let sets = match wire.run(&sql).await {
        Ok(sets) => sets,
        // A cluster that forbids it, a deadlock among waiters.
        Err(broken) => {
            return match error::number(&broken.error) {
                Some(3058 | 1213) => Ok(Answer::Busy),
                Some(1105 | 1235 | 1295 | 1305) => Ok(Answer::Failed(broken.error.to_string())),
                _ => Err(error::plain(broken.error)),
            };
        }
    };
    match sets
        .first()
        .and_then(|rows| rows.first()?.first()?.as_deref())
    {
        Some("1") => Ok(Answer::Got),
        Some("0") => Ok(Answer::Busy),
        _ => {
            let warnings = run(wire, "SHOW WARNINGS").await?;
            let texts: Vec<String> = warnings
                .into_iter()
                .flatten()
                .filter_map(|row| row.into_iter().nth(2)?)
                .collect();
            Ok(Answer::Failed(if texts.is_empty() {
                "it answered NULL".into()
            } else {
                texts.join("; ")
            }))
        }
    }
}

/// True while this session holds the lock.
pub(crate) fn condition(name: &str) -> String {
    format!(
        "COALESCE(IS_USED_LOCK({}) = CONNECTION_ID(), 0)",
        literal(name)
    )
}

pub(crate) async fn holds(wire: &mut Wire, name: &str) -> Result<bool> {
    Ok(is_one(
        run(wire, &format!("SELECT {}", condition(name)))
            .await?
            .first(),
    ))
}

/// Whether any other session holds the lock.
pub(crate) async fn is_used(wire: &mut Wire, name: &str) -> Result<bool> {
    let name = literal(name);
    let sql = format!("SELECT IFNULL(IS_USED_LOCK({name}) <> CONNECTION_ID(), 0)");
    Ok(is_one(run(wire, &sql).await?.first()))
}

pub(crate) async fn unlock(wire: &mut Wire, key: &LockKey, name: &str) -> Result<()> {
    if is_one(
        run(wire, &format!("SELECT RELEASE_LOCK({})", literal(name)))
            .await?
            .first(),
    ) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::LockLost,
        format!("this session did not hold the lock {key}"),
    ))
}

async fn run(wire: &mut Wire, sql: &str) -> Result<Vec<Vec<lockage_sql::Row>>> {
    wire.run(sql)
        .await
        .map_err(|broken| error::plain(broken.error))
}

fn is_one(rows: Option<&Vec<lockage_sql::Row>>) -> bool {
    rows.and_then(|rows| rows.first()?.first()?.as_deref()) == Some("1")
}
