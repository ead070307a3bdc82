//! The lock in a table.

use lockage_sqlserver::BACKEND;
use lockage_sqlserver::lockage_core::{ErrorKind, LockKey, LockStrategy, Session};
use lockage_testkit::TestError;

use crate::place::{Place, ensure};
use crate::witness::{Witness, client};

crate::tests![
    a_holder_whose_lease_ran_out_is_ended[Sessions],
    a_stranger_with_the_holders_number_is_left_alone[Sessions],
    a_holder_is_ended_when_its_lock_is_broken[Sessions],
];

async fn with_lock_in_table(place: &Place) -> Result<Box<dyn Session>, TestError> {
    let mut options = place.options()?;
    options.lock_strategy = LockStrategy::Table;
    Ok(BACKEND.connect(&options).await?)
}

/// A lease that ran out, and one that does not.
const OVER: u64 = 1;
const LONG: u64 = 99_999_999_999_999;

/// Leaves a row in the table as a holder left it that does not beat any more.
async fn leave_row(place: &Place, session: &str, lease_until: u64) -> Result<(), TestError> {
    let key = LockKey::default();
    let mut before = with_lock_in_table(place).await?;
    ensure(before.try_lock(&key).await?, "a free lock")?;
    before.unlock(&key).await?;
    before.close().await?;
    place
        .execute(&format!(
            "UPDATE lockage_lock SET token = 'gone', beat = 7, session = '{session}', lease_until = {lease_until}, taken_at = SYSUTCDATETIME()"
        ))
        .await
}

/// Its number, and since when it stands.
async fn standing(session: &mut Witness) -> Result<(String, String), TestError> {
    let query = "SELECT CONVERT(NVARCHAR(20), session_id), CONVERT(NVARCHAR(30), login_time, 126) \
                 FROM sys.dm_exec_sessions WHERE session_id = @@SPID";
    let rows = session
        .simple_query(query)
        .await?
        .into_first_result()
        .await?;
    let row = rows.first().ok_or("a session that is not listed")?;
    let text = |index| row.get::<&str, _>(index).unwrap_or_default().to_owned();
    Ok((text(0), text(1)))
}

async fn a_holder_whose_lease_ran_out_is_ended(place: &Place) -> Result<(), TestError> {
    let mut frozen = client(&place.url).await?;
    let (number, since) = standing(&mut frozen).await?;
    leave_row(place, &format!("{number} since {since}"), OVER).await?;
    let mut next = with_lock_in_table(place).await?;
    ensure(
        next.try_lock(&LockKey::default()).await?,
        "the lock is not taken over",
    )?;
    let lives = async { frozen.simple_query("SELECT 1").await?.into_results().await }.await;
    ensure(lives.is_err(), "the session of the holder still stands")?;
    next.unlock(&LockKey::default()).await?;
    Ok(next.close().await?)
}

async fn a_stranger_with_the_holders_number_is_left_alone(place: &Place) -> Result<(), TestError> {
    let mut stranger = client(&place.url).await?;
    let (number, _) = standing(&mut stranger).await?;
    leave_row(
        place,
        &format!("{number} since 2001-01-31T09:30:00.123"),
        OVER,
    )
    .await?;
    let mut next = with_lock_in_table(place).await?;
    ensure(
        next.try_lock(&LockKey::default()).await?,
        "the lock is not taken over",
    )?;
    stranger
        .simple_query("SELECT 1")
        .await?
        .into_results()
        .await?;
    next.unlock(&LockKey::default()).await?;
    Ok(next.close().await?)
}

async fn a_holder_is_ended_when_its_lock_is_broken(place: &Place) -> Result<(), TestError> {
    let mut frozen = client(&place.url).await?;
    let (number, since) = standing(&mut frozen).await?;
    leave_row(place, &format!("{number} since {since}"), LONG).await?;
    let key = LockKey::default();
    let mut next = with_lock_in_table(place).await?;
    ensure(!next.try_lock(&key).await?, "a lock that is held")?;
    let holder = next
        .holder(&key)
        .await?
        .ok_or("a holder that is not seen")?;
    next.terminate_holder(&key, &holder).await?;
    let lives = async { frozen.simple_query("SELECT 1").await?.into_results().await }.await;
    ensure(lives.is_err(), "the session of the holder still stands")?;
    ensure(next.try_lock(&key).await?, "the lock is not free")?;
    next.unlock(&key).await?;
    next.close().await?;
    // A session that is not shown cannot be seen to end.
    leave_row(
        place,
        &format!("{number} since 2001-01-31T09:30:00.123"),
        LONG,
    )
    .await?;
    let mut next = with_lock_in_table(place).await?;
    let holder = next
        .holder(&key)
        .await?
        .ok_or("a holder that is not seen")?;
    let refused = next.terminate_holder(&key, &holder).await;
    next.close().await?;
    match refused {
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(()),
        other => Err(format!("the lock of a session that nobody sees: {other:?}").into()),
    }
}
