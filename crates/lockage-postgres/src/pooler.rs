//! Whether something between us and the server gives our statements to one session or to many.

use std::time::Duration;

use lockage_core::{Error, ErrorKind, LockKey, Result};

use crate::address::Address;
use crate::link::Link;
use crate::tls::Tls;

/// How often the two are compared. A pooler hands out the session that was given back last, unless others are quicker.
const ROUNDS: u32 = 5;

/// How long an answer may take that needs no work.
const PATIENCE: Duration = Duration::from_secs(2);

/// The way to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Nobody has looked yet.
    Unknown,
    /// The process that the server named at the start is the one that answers.
    Direct(i32),
    /// A pooler that gives a client one session for as long as it stays.
    SessionPooled,
    /// A pooler that gives a client a session for one transaction, or that may do so.
    Shared,
}

/// What a pooler does with sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pooling {
    /// It keeps one for a client as long as the client stays.
    Session,
    /// As long as a transaction.
    Transaction,
    /// As long as a statement: there are no transactions.
    Statement,
    /// That did not come out.
    Unclear,
}

/// Finds out with a second connection beside ours: were our session free between two statements, the other one would get it.
pub(crate) async fn pooling(link: &mut Link, address: &Address, tls: &Tls) -> Result<Pooling> {
    let Some(ours) = in_time(process(link, "")).await? else {
        return Ok(Pooling::Unclear);
    };
    let twin = in_time(async {
        Link::open(&address.config, tls)
            .await
            .map(Some)
            .or(Ok(None))
    });
    let Some(Some(mut twin)) = twin.await? else {
        return Ok(Pooling::Unclear);
    };
    for _ in 0..ROUNDS {
        match in_time(process(link, "")).await? {
            Some(again) if again == ours => {}
            Some(_) => return Ok(Pooling::Transaction),
            None => return Ok(Pooling::Unclear),
        }
        let Ok(theirs) = in_time(process(&mut twin, "BEGIN; ")).await else {
            return Ok(Pooling::Statement);
        };
        match theirs {
            Some(theirs) if theirs == ours => return Ok(Pooling::Transaction),
            Some(_) => {}
            // No session is left for the other one. Ours is there at once, so it was kept for us.
            None => {
                let again = in_time(process(link, "")).await?;
                return Ok(match again {
                    Some(again) if again == ours => Pooling::Session,
                    _ => Pooling::Unclear,
                });
            }
        }
        in_time(async { twin.query("ROLLBACK").await.map_err(Error::from) }).await?;
    }
    twin.close().await;
    Ok(Pooling::Session)
}

async fn process(link: &mut Link, before: &str) -> Result<String> {
    let rows = link
        .query(&format!("{before}SELECT pg_catalog.pg_backend_pid()"))
        .await?;
    rows.into_iter()
        .next()
        .and_then(|row| row.into_iter().next().flatten())
        .ok_or_else(unclear)
}

/// What the work comes to, unless it takes too long.
async fn in_time<T>(work: impl Future<Output = Result<T>>) -> Result<Option<T>> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done.map(Some),
        Err(_) => Ok(None),
    }
}

pub(crate) fn shared(key: &LockKey) -> Error {
    let what = "a pooler that keeps no session for a client stands before the server";
    let instead = "connect to PostgreSQL itself, or through session pooling (for PgBouncer, pool_mode = session)";
    let (message, hint) = match key.as_foreign() {
        Some(_) => (
            format!("the lock {key} cannot be taken: {what}, and the lock would exclude nobody"),
            format!("{instead}; without --align the run goes on, and that tool is not kept out"),
        ),
        None => (
            format!("{what}: a lock that is taken through it excludes nobody"),
            format!(
                "use a lock that needs no session, with --lock-strategy table (auto does); or {instead}"
            ),
        ),
    };
    Error::new(ErrorKind::Unsupported, message).with_hint(hint)
}

pub(crate) fn no_transactions() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "a pooler stands before the server that lets no transactions through",
    )
    .with_hint("connect to PostgreSQL itself, or through session pooling or transaction pooling (for PgBouncer, pool_mode)")
}

fn unclear() -> Error {
    Error::new(
        ErrorKind::Unexpected,
        "the server does not tell which process it is",
    )
}
