//! Whether something between us and the server gives our statements to one session or to many.

use std::time::Duration;

use lockage_core::{Error, ErrorKind, Result};

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
}

/// Makes sure that a pooler keeps a session for us, with a second connection beside ours: were our session free between two statements,
/// the other one would get it.
///
/// # Errors
/// [`ErrorKind::Unsupported`] when it does not.
pub(crate) async fn keeps_sessions(link: &mut Link, address: &Address, tls: &Tls) -> Result<()> {
    let ours = in_time(process(link, "")).await?.ok_or_else(unclear)?;
    let mut twin = match in_time(async {
        Link::open(&address.config, tls)
            .await
            .map(Some)
            .or(Ok(None))
    })
    .await?
    {
        Some(Some(twin)) => twin,
        _ => return Err(unclear()),
    };
    for _ in 0..ROUNDS {
        if in_time(process(link, "")).await?.ok_or_else(unclear)? != ours {
            return Err(shared());
        }
        let theirs = in_time(process(&mut twin, "BEGIN; "))
            .await
            // A pooler that keeps a session for one statement only knows no transactions.
            .map_err(|error| shared().with_source(error))?;
        match theirs {
            Some(theirs) if theirs == ours => return Err(shared()),
            Some(_) => {}
            // No session is left for the other one. Ours is there at once, so it was kept for us.
            None if in_time(process(link, ""))
                .await?
                .is_some_and(|again| again == ours) =>
            {
                return Ok(());
            }
            None => return Err(unclear()),
        }
        in_time(async { twin.query("ROLLBACK").await.map_err(Error::from) }).await?;
    }
    twin.close().await;
    Ok(())
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

fn shared() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "a pooler that keeps no session for a client stands before the server: a lock that is taken through it excludes nobody",
    )
    .with_hint("connect to PostgreSQL itself, or through session pooling (for PgBouncer, pool_mode = session)")
}

fn unclear() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "a pooler stands before the server, and whether it keeps a session for each client could not be found out",
    )
    .with_hint("connect to PostgreSQL itself, or try again when the pooler has a session to spare")
}
