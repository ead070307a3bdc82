//! Runs that have nothing to do, that are interrupted, and that start on two hosts.

use std::time::{Duration, Instant};

use lockage_message_store::lockage_core::{Interrupt, LockKey, LockWait, Outcome, TryLock};
use lockage_message_store::{AutoCreate, ErrorKind};
use lockage_testkit::TestError;

use crate::database::Database;
use crate::observers::{PauseAtStep, StopAtStep, WaitRecorder, next_event};

crate::tests![
    migrating_current_database_is_a_no_op,
    interrupted_run_fails_and_releases_lock,
    interrupted_wait_fails_and_releases_lock,
    two_hosts_start_on_same_database,
    start_respects_auto_create_mode,
    create_only_waits_for_creating_process,
];

/// Waits until the lock is free: the server may need time to end the session of its holder.
async fn assert_free(database: &Database) -> Result<(), TestError> {
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

async fn migrating_current_database_is_a_no_op(database: &Database) -> Result<(), TestError> {
    let store = database.store()?;
    let first = store.migrate().await?.main;
    if (first.outcome, first.applied.len(), first.took_lock) != (Outcome::Applied, 3, true) {
        return Err(format!("the first run: {first:?}").into());
    }
    let before = database.history().await?;
    // Another session holds the lock, because a current database does not need it.
    let TryLock::Acquired(holder) = database
        .session()
        .await?
        .try_lock(&LockKey::default())
        .await?
    else {
        return Err("the lock is still held".into());
    };
    let second = store.migrate().await?.main;
    store.start().await?;
    holder.release().await?.close().await?;
    if (second.outcome, second.took_lock) != (Outcome::UpToDate, false) {
        return Err(format!("the second run: {second:?}").into());
    }
    if database.history().await? != before {
        return Err("the second run changed the history".into());
    }
    Ok(())
}

async fn interrupted_run_fails_and_releases_lock(database: &Database) -> Result<(), TestError> {
    for attempt in 1..=3 {
        let interrupt = Interrupt::new();
        let stop = StopAtStep {
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
            // On a slow disk the server may not cancel a statement in time. The session is then dropped, which releases the lock.
            Err(error) if error.kind() == ErrorKind::SessionLost => {}
            // A migration that finished before the interrupt counts.
            Ok(migrated) if before == 2 && migrated.main.applied.len() == 1 => {}
            other => return Err(format!("interrupted, attempt {attempt}: {other:?}").into()),
        }
        assert_free(database).await?;
    }
    database.store()?.migrate().await?;
    database.store()?.assert_current().await?;
    Ok(())
}

/// Returns the number of applied migrations.
async fn applied(database: &Database) -> Result<usize, TestError> {
    let history = database.table("lockage_message_history");
    let rows = database
        .rows(&format!(
            "SELECT version FROM {history} WHERE state = 'applied'"
        ))
        .await;
    Ok(rows.map_or(0, |rows| rows.len()))
}

async fn interrupted_wait_fails_and_releases_lock(database: &Database) -> Result<(), TestError> {
    let session = database.session().await?;
    let TryLock::Acquired(holder) = session.try_lock(&LockKey::default()).await? else {
        return Err("the lock of a new database is held".into());
    };
    let interrupt = Interrupt::new();
    let (waiting, mut events) = WaitRecorder::new();
    let store = database
        .builder()
        .interrupt(interrupt.clone())
        .observer(waiting)
        .build()?;
    let running = tokio::spawn(async move { store.migrate().await });
    next_event(&mut events, "the store to wait").await?;
    interrupt.trigger();
    match running.await? {
        Err(error) if error.kind() == ErrorKind::Interrupted => {}
        other => return Err(format!("interrupted: {other:?}").into()),
    }
    holder.release().await?.close().await?;
    assert_free(database).await?;
    if applied(database).await? > 0 {
        return Err("a run without the lock wrote".into());
    }
    Ok(())
}

/// Two stores start at the same time, first on an empty database and then on a current one.
async fn two_hosts_start_on_same_database(database: &Database) -> Result<(), TestError> {
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

async fn start_respects_auto_create_mode(database: &Database) -> Result<(), TestError> {
    let mode = |mode| database.builder().auto_create(mode).build();
    let none = mode(AutoCreate::None)?;
    let assert_rejected = |started: lockage_message_store::Result<()>, part: &str| match started {
        Err(error)
            if error.kind() == ErrorKind::NotCurrent
                && error.message().contains(part)
                && error
                    .hint()
                    .is_some_and(|hint| hint.contains("lockage message-store migrate")) =>
        {
            Ok(())
        }
        other => Err(TestError::from(format!("started with {other:?}"))),
    };
    assert_rejected(none.start().await, "migration 1 (envelopes) is not applied")?;
    if applied(database).await? > 0 {
        return Err("a start without permission to write wrote".into());
    }
    mode(AutoCreate::CreateOnly)?.start().await?;
    none.start().await?;
    // The state that an older program with two migrations leaves.
    let table = |table| database.table(table);
    let remove_last = [
        format!("DROP TABLE {}", table("tenants")),
        format!(
            "DELETE FROM {} WHERE version = '3'",
            table("lockage_message_history")
        ),
    ];
    for statement in &remove_last {
        database.execute(statement).await?;
    }
    let outdated = "migration 3 (tenants) is not applied";
    assert_rejected(none.start().await, outdated)?;
    assert_rejected(mode(AutoCreate::CreateOnly)?.start().await, outdated)?;
    mode(AutoCreate::CreateOrUpdate)?.start().await?;
    for statement in &remove_last {
        database.execute(statement).await?;
    }
    // An explicit call migrates in every mode.
    none.migrate().await?;
    none.start().await?;
    Ok(())
}

/// Another store starts while the first one has applied one of three migrations.
async fn create_only_waits_for_creating_process(database: &Database) -> Result<(), TestError> {
    let (pause, mut paused) = PauseAtStep::at_step(1);
    let first = database.builder().observer(pause).build()?;
    let creating = tokio::spawn(async move { first.start().await });
    paused.wait_reached().await?;
    let other = || database.builder().auto_create(AutoCreate::CreateOnly);
    match other().wait(LockWait::Never).build()?.start().await {
        Err(error) if error.kind() == ErrorKind::NotCurrent => {}
        other => return Err(format!("a start that must not wait: {other:?}").into()),
    }
    let (waiting, observer) = (other().build()?, database.store()?);
    let observe = async {
        // Gives the other store time to find the database half created.
        for _ in 0..5 {
            let _ = observer.assert_current().await;
        }
        drop(paused);
    };
    let (started, ()) = tokio::join!(waiting.start(), observe);
    started?;
    Ok(creating.await??)
}
