//! The lock in a table.

use lockage_sqlserver::BACKEND;
use lockage_sqlserver::lockage_core::{ErrorKind, LockKey, LockStrategy, Session};
use lockage_testkit::TestError;

use crate::direct_client::{DirectClient, connect};
use crate::test_database::{TestDatabase, ensure};

crate::tests![
    holder_with_expired_lease_is_terminated[SessionList],
    session_with_reused_number_is_not_terminated[SessionList],
    lock_break_terminates_holder[SessionList],
];

async fn table_lock_session(database: &TestDatabase) -> Result<Box<dyn Session>, TestError> {
    let mut options = database.options()?;
    options.lock_strategy = LockStrategy::Table;
    Ok(BACKEND.connect(&options).await?)
}

/// The ends of a lease that expired and of one that has not expired.
const EXPIRED: u64 = 1;
const NOT_EXPIRED: u64 = 99_999_999_999_999;

/// Writes the row of a holder that no longer renews its lease.
async fn write_abandoned_row(
    database: &TestDatabase,
    session: &str,
    lease_until: u64,
) -> Result<(), TestError> {
    let key = LockKey::default();
    // The first request creates the table and its row.
    let mut first = table_lock_session(database).await?;
    ensure(first.try_lock(&key).await?, "the lock is not free")?;
    first.unlock(&key).await?;
    first.close().await?;
    database
        .execute(&format!(
            "UPDATE lockage_lock SET token = 'gone', beat = 7, session = '{session}', lease_until = {lease_until}, taken_at = SYSUTCDATETIME()"
        ))
        .await
}

/// Returns the number and the start time of a session.
async fn session_identity(session: &mut DirectClient) -> Result<(String, String), TestError> {
    let query = "SELECT CONVERT(NVARCHAR(20), session_id), CONVERT(NVARCHAR(30), login_time, 126) \
                 FROM sys.dm_exec_sessions WHERE session_id = @@SPID";
    let rows = session
        .simple_query(query)
        .await?
        .into_first_result()
        .await?;
    let row = rows.first().ok_or("the server does not list the session")?;
    let text = |index| row.get::<&str, _>(index).unwrap_or_default().to_owned();
    Ok((text(0), text(1)))
}

async fn holder_with_expired_lease_is_terminated(database: &TestDatabase) -> Result<(), TestError> {
    let mut frozen = connect(&database.url).await?;
    let (number, started_at) = session_identity(&mut frozen).await?;
    write_abandoned_row(database, &format!("{number} since {started_at}"), EXPIRED).await?;
    let mut next = table_lock_session(database).await?;
    ensure(
        next.try_lock(&LockKey::default()).await?,
        "the lock was not taken over",
    )?;
    let query = async { frozen.simple_query("SELECT 1").await?.into_results().await }.await;
    ensure(query.is_err(), "the session of the holder still exists")?;
    next.unlock(&LockKey::default()).await?;
    Ok(next.close().await?)
}

async fn session_with_reused_number_is_not_terminated(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let mut other = connect(&database.url).await?;
    let (number, _) = session_identity(&mut other).await?;
    write_abandoned_row(
        database,
        &format!("{number} since 2001-01-31T09:30:00.123"),
        EXPIRED,
    )
    .await?;
    let mut next = table_lock_session(database).await?;
    ensure(
        next.try_lock(&LockKey::default()).await?,
        "the lock was not taken over",
    )?;
    other.simple_query("SELECT 1").await?.into_results().await?;
    next.unlock(&LockKey::default()).await?;
    Ok(next.close().await?)
}

async fn lock_break_terminates_holder(database: &TestDatabase) -> Result<(), TestError> {
    let mut frozen = connect(&database.url).await?;
    let (number, started_at) = session_identity(&mut frozen).await?;
    write_abandoned_row(
        database,
        &format!("{number} since {started_at}"),
        NOT_EXPIRED,
    )
    .await?;
    let key = LockKey::default();
    let mut next = table_lock_session(database).await?;
    ensure(!next.try_lock(&key).await?, "the lock is not held")?;
    let holder = next.holder(&key).await?.ok_or("the holder was not found")?;
    next.terminate_holder(&key, &holder).await?;
    let query = async { frozen.simple_query("SELECT 1").await?.into_results().await }.await;
    ensure(query.is_err(), "the session of the holder still exists")?;
    ensure(next.try_lock(&key).await?, "the lock is not free")?;
    next.unlock(&key).await?;
    next.close().await?;
    // Without a view of the session, the server cannot confirm that it ended.
    write_abandoned_row(
        database,
        &format!("{number} since 2001-01-31T09:30:00.123"),
        NOT_EXPIRED,
    )
    .await?;
    let mut next = table_lock_session(database).await?;
    let holder = next.holder(&key).await?.ok_or("the holder was not found")?;
    let result = next.terminate_holder(&key, &holder).await;
    next.close().await?;
    match result {
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(()),
        other => Err(format!("a hidden session was terminated: {other:?}").into()),
    }
}
