//! Runs: those with nothing to do, those that are cut short, those of two hosts.

use std::time::{Duration, Instant};

use lockage_message_store::lockage_core::{TryLock, Interrupt, LockKey, LockWait, Outcome};
use lockage_message_store::{AutoCreate, ErrorKind};
use lockage_testkit::Failure;

use crate::database::Database;
use crate::watch::{Pause, StopAt, Waiting, hear};

crate::tests![
    migrating_a_current_database_is_a_no_op,
    cancelled_means_an_error_and_no_lock,
    cancelled_while_waiting_means_an_error_and_no_lock,
    two_hosts_start_against_the_same_database,
    start_does_what_the_mode_allows,
    create_only_waits_for_what_another_process_is_making,
];

/// Holds when the lock is free, at once or when the server has ended what the holder left.
async fn assert_free(database: &Database) -> Result<(), Failure> {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let session = database.session().await?;
        match session.try_lock(&LockKey::default()).await? {
            TryLock::Acquired(locked) => return Ok(locked.release().await?.close().await?),
            TryLock::Busy(_) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            TryLock::Busy(_) => return Err("the lock is still held after 120 s".into()),
        }
    }
}

async fn migrating_a_current_database_is_a_no_op(database: &Database) -> Result<(), Failure> {
    let store = database.store()?;
    let first = store.migrate().await?.main;
    if (first.outcome, first.applied.len(), first.took_lock) != (Outcome::Applied, 3, true) {
        return Err(format!("the first run: {first:?}").into());
    }
    let before = database.history().await?;
    // Even with the lock in somebody else's hands: it is not needed.
    let TryLock::Acquired(neighbour) = database
        .session()
        .await?
        .try_lock(&LockKey::default())
        .await?
    else {
        return Err("the lock is still held".into());
    };
    let second = store.migrate().await?.main;
    store.start().await?;
    neighbour.release().await?.close().await?;
    if (second.outcome, second.took_lock) != (Outcome::UpToDate, false) {
        return Err(format!("the second run: {second:?}").into());
    }
    if database.history().await? != before {
        return Err("the second run changed the history".into());
    }
    Ok(())
}

async fn cancelled_means_an_error_and_no_lock(database: &Database) -> Result<(), Failure> {
    for attempt in 1..=3 {
        let interrupt = Interrupt::new();
        let stop = StopAt {
            step: 0,
            interrupt: interrupt.clone(),
        };
        let store = database
            .builder()
            .interrupt(interrupt)
            .observer(stop)
            .build()?;
        let before = applied(database).await?;
        match store.migrate().await {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // A server on a slow disk may not end a statement in time; the session is dropped then, and the lock with it.
            Err(error) if error.kind() == ErrorKind::SessionLost => {}
            // What had just finished when the request came counts.
            Ok(migrated) if before == 2 && migrated.main.applied.len() == 1 => {}
            other => return Err(format!("cancelled, attempt {attempt}: {other:?}").into()),
        }
        assert_free(database).await?;
    }
    database.store()?.migrate().await?;
    database.store()?.assert_current().await?;
    Ok(())
}

/// How many migrations are applied.
async fn applied(database: &Database) -> Result<usize, Failure> {
    let history = database.table("lockage_message_history");
    let rows = database
        .rows(&format!(
            "SELECT version FROM {history} WHERE state = 'applied'"
        ))
        .await;
    Ok(rows.map_or(0, |rows| rows.len()))
}

async fn cancelled_while_waiting_means_an_error_and_no_lock(
    database: &Database,
) -> Result<(), Failure> {
    let session = database.session().await?;
    let TryLock::Acquired(neighbour) = session.try_lock(&LockKey::default()).await? else {
        return Err("the lock of a fresh database is taken".into());
    };
    let interrupt = Interrupt::new();
    let (waiting, mut told) = Waiting::new();
    let store = database
        .builder()
        .interrupt(interrupt.clone())
        .observer(waiting)
        .build()?;
    let running = tokio::spawn(async move { store.migrate().await });
    hear(&mut told, "the store to wait").await?;
    interrupt.trigger();
    match running.await? {
        Err(error) if error.kind() == ErrorKind::Interrupted => {}
        other => return Err(format!("cancelled: {other:?}").into()),
    }
    neighbour.release().await?.close().await?;
    assert_free(database).await?;
    if applied(database).await? > 0 {
        return Err("a run that never had the lock wrote".into());
    }
    Ok(())
}

/// The two start at the same moment, twice: when there is nothing, and when all is there.
async fn two_hosts_start_against_the_same_database(database: &Database) -> Result<(), Failure> {
    for _ in 0..2 {
        let (one, other) = (database.store()?, database.store()?);
        let (one, other) = tokio::join!(one.start(), other.start());
        one?;
        other?;
    }
    if applied(database).await? != 3 {
        return Err("not every migration is applied".into());
    }
    Ok(())
}

async fn start_does_what_the_mode_allows(database: &Database) -> Result<(), Failure> {
    let mode = |mode| database.builder().auto_create(mode).build();
    let none = mode(AutoCreate::None)?;
    let refused = |started: lockage_message_store::Result<()>, part: &str| match started {
        Err(error)
            if error.kind() == ErrorKind::NotCurrent
                && error.message().contains(part)
                && error
                    .hint()
                    .is_some_and(|hint| hint.contains("lockage message-store migrate")) =>
        {
            Ok(())
        }
        other => Err(Failure::from(format!("started with {other:?}"))),
    };
    refused(none.start().await, "migration 1 (envelopes) is not applied")?;
    if applied(database).await? > 0 {
        return Err("a start that may not write wrote".into());
    }
    mode(AutoCreate::CreateOnly)?.start().await?;
    none.start().await?;
    // As a program left it that knew two migrations.
    let table = |table| database.table(table);
    let forget = [
        format!("DROP TABLE {}", table("tenants")),
        format!(
            "DELETE FROM {} WHERE version = '3'",
            table("lockage_message_history")
        ),
    ];
    for statement in &forget {
        database.execute(statement).await?;
    }
    let outdated = "migration 3 (tenants) is not applied";
    refused(none.start().await, outdated)?;
    refused(mode(AutoCreate::CreateOnly)?.start().await, outdated)?;
    mode(AutoCreate::CreateOrUpdate)?.start().await?;
    for statement in &forget {
        database.execute(statement).await?;
    }
    // An explicit call is intent enough.
    none.migrate().await?;
    none.start().await?;
    Ok(())
}

/// The one has made the first table of many when the other starts.
async fn create_only_waits_for_what_another_process_is_making(
    database: &Database,
) -> Result<(), Failure> {
    let (pause, mut paused) = Pause::at_step(1);
    let first = database.builder().observer(pause).build()?;
    let making = tokio::spawn(async move { first.start().await });
    paused.reached().await?;
    let other = || database.builder().auto_create(AutoCreate::CreateOnly);
    match other().wait(LockWait::Never).build()?.start().await {
        Err(error) if error.kind() == ErrorKind::NotCurrent => {}
        ended => return Err(format!("one that must not wait: {ended:?}").into()),
    }
    let (patient, looker) = (other().build()?, database.store()?);
    let look = async {
        // Time enough for the other to find the database half made.
        for _ in 0..5 {
            let _ = looker.assert_current().await;
        }
        drop(paused);
    };
    let (started, ()) = tokio::join!(patient.start(), look);
    started?;
    Ok(making.await??)
}
