//! Detects whether a pooler shares server sessions among its clients.

use std::time::Duration;

use lockage_core::{Error, ErrorKind, LockKey, Result};

use crate::config::ConnectConfig;
use crate::driver::DriverConnection;
use crate::tls::Tls;

/// The number of comparisons. A pooler reuses the session that was released last, unless other clients are faster.
const PROBE_ROUNDS: u32 = 5;

/// The maximum duration of a query that does no work.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

const USE_SESSION_POOLING: &str =
    "connect to PostgreSQL directly or through session pooling (PgBouncer: pool_mode = session)";

/// How a connection reaches the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PoolMode {
    /// Not detected yet.
    Unknown,
    /// Directly: the backend process with the id of the connection's start answers.
    Direct(i32),
    /// Through a pooler that assigns one session to a client for as long as the client is connected.
    Session,
    /// Through a pooler that assigns a session for one transaction, or may do so.
    Transaction,
}

/// What [`probe_pool_mode`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProbeResult {
    /// A client keeps its session while it is connected.
    Session,
    /// A client keeps a session for one transaction.
    Transaction,
    /// A client keeps a session for one statement: transactions do not work.
    Statement,
    /// The probe decided nothing.
    Inconclusive,
}

/// Detects the mode of a pooler with a second connection: if our session were free between two statements, the second connection
/// would get it.
pub(crate) async fn probe_pool_mode(
    driver: &mut DriverConnection,
    config: &ConnectConfig,
    tls: &Tls,
) -> Result<ProbeResult> {
    let Some(ours) = with_timeout(backend_of(driver, "")).await? else {
        return Ok(ProbeResult::Inconclusive);
    };
    let second = with_timeout(async {
        DriverConnection::open(&config.driver, tls)
            .await
            .map(Some)
            .or(Ok(None))
    });
    let Some(Some(mut second)) = second.await? else {
        return Ok(ProbeResult::Inconclusive);
    };
    for _ in 0..PROBE_ROUNDS {
        match with_timeout(backend_of(driver, "")).await? {
            Some(current) if current == ours => {}
            Some(_) => return Ok(ProbeResult::Transaction),
            None => return Ok(ProbeResult::Inconclusive),
        }
        let Ok(theirs) = with_timeout(backend_of(&mut second, "BEGIN; ")).await else {
            return Ok(ProbeResult::Statement);
        };
        match theirs {
            Some(theirs) if theirs == ours => return Ok(ProbeResult::Transaction),
            Some(_) => {}
            // The pool has no free session for the second connection. If ours answers, it was reserved for us.
            None => {
                let current = with_timeout(backend_of(driver, "")).await?;
                return Ok(match current {
                    Some(current) if current == ours => ProbeResult::Session,
                    _ => ProbeResult::Inconclusive,
                });
            }
        }
        with_timeout(async { second.query("ROLLBACK").await.map_err(Error::from) }).await?;
    }
    second.close().await;
    Ok(ProbeResult::Session)
}

/// Returns the backend process that serves a connection, after running `prefix`.
async fn backend_of(driver: &mut DriverConnection, prefix: &str) -> Result<String> {
    let query = format!("{prefix}SELECT pg_catalog.pg_backend_pid()");
    driver.query_value(&query).await?.ok_or_else(|| {
        Error::new(
            ErrorKind::Unexpected,
            "the server does not report the id of its process",
        )
    })
}

/// Returns the result of `work`, or `None` if it takes too long.
async fn with_timeout<T>(work: impl Future<Output = Result<T>>) -> Result<Option<T>> {
    match tokio::time::timeout(PROBE_TIMEOUT, work).await {
        Ok(done) => done.map(Some),
        Err(_) => Ok(None),
    }
}

/// Returns the error of an advisory lock that was requested through a pooler in transaction mode.
pub(crate) fn transaction_pooling_error(key: &LockKey) -> Error {
    const REASON: &str = "the connection goes through a transaction-pooling proxy; session locks do not work through it";
    let (message, hint) = match key.as_foreign() {
        Some(_) => (
            format!("the lock {key} cannot be acquired: {REASON}"),
            format!(
                "{USE_SESSION_POOLING}; without --align the run continues, but does not exclude that tool"
            ),
        ),
        None => (
            REASON.to_owned(),
            format!(
                "use --lock-strategy table (or auto), which needs no session; or {USE_SESSION_POOLING}"
            ),
        ),
    };
    Error::new(ErrorKind::Unsupported, message).with_hint(hint)
}

/// Returns the error of a role that would be set in a session that other clients share.
pub(crate) fn shared_role_error(role: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "the role {role} cannot be set: the connection goes through a transaction-pooling proxy, and other clients share its sessions"
        ),
    )
    .with_hint("log in as that role, and remove role= from the URL")
}

/// Returns the error of a pooler in statement mode.
pub(crate) fn statement_pooling_error() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "the connection goes through a statement-pooling proxy, which does not support transactions",
    )
    .with_hint("connect to PostgreSQL directly, or through session pooling or transaction pooling (PgBouncer: pool_mode)")
}

/// Returns the error of a statement that needs a session of its own.
pub(crate) fn requires_dedicated_session(reason: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("the connection goes through a transaction-pooling proxy: {reason}"),
    )
    .with_hint(format!(
        "use BEGIN, SET LOCAL … and COMMIT, or name the schema in the statement; or {USE_SESSION_POOLING}"
    ))
}
