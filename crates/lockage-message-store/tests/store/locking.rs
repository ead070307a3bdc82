//! The migration lock, observed from other sessions.

use lockage_message_store::lockage_core::{Interrupt, LockKey, LockWait, TryLock};
use lockage_message_store::{ErrorKind, MessageStore};
use lockage_testkit::TestError;

use crate::database::{Database, connect};
use crate::observers::{PauseAtStep, WaitRecorder, next_event};
use crate::server_features::acquires;
use crate::target_engine::Engine;

crate::tests![
    lock_is_exclusive_while_held_and_free_after_release,
    shared_lock_id_waits_for_other_tool,
    busy_lock_times_out_and_writes_nothing,
    rebuild_holds_lock_from_drop_to_creation,
    lock_lost_on_server_is_detected,
];

/// Returns whether another session can acquire a lock, and releases it.
async fn is_free(database: &Database, id: i64) -> Result<bool, TestError> {
    let key = LockKey::id(id);
    let session = database.session().await?;
    let free = match session.try_lock(&key).await? {
        TryLock::Acquired(locked) => {
            locked.release().await?.close().await?;
            true
        }
        TryLock::Busy(session) => {
            session.close().await?;
            false
        }
    };
    Ok(free)
}

fn ensure(condition: bool, what: &str) -> Result<(), TestError> {
    if condition { Ok(()) } else { Err(what.into()) }
}

async fn lock_is_exclusive_while_held_and_free_after_release(
    database: &Database,
) -> Result<(), TestError> {
    let (pause, mut paused) = PauseAtStep::at_step(1);
    let store = database.builder().observer(pause).build()?;
    let running = tokio::spawn({
        let store = store.clone();
        async move { store.migrate().await }
    });
    paused.wait_reached().await?;
    ensure(
        !is_free(database, 4006).await?,
        "a second session got the lock 4006 during a migration",
    )?;
    ensure(
        is_free(database, 4007).await?,
        "the lock 4007 is not free, although no session holds it",
    )?;
    ensure(
        store.lock_holder().await?.is_some(),
        "no holder is reported during a migration",
    )?;
    assert_reported_by_engine(database).await?;
    drop(paused);
    running.await??;
    ensure(
        is_free(database, 4006).await?,
        "the lock is not free after the migration",
    )?;
    ensure(
        store.lock_holder().await?.is_none(),
        "a holder is reported after the migration",
    )
}

/// Checks that the engine itself reports the lock as held.
async fn assert_reported_by_engine(database: &Database) -> Result<(), TestError> {
    let query = match database.engine {
        Engine::Postgres => {
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = 4006 AND objsubid = 1 \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
                .to_owned()
        }
        Engine::Mysql => format!("SELECT IS_USED_LOCK('lockage:4006:{}') IS NOT NULL", database.name()),
        Engine::SqlServer => "SELECT 1 - APPLOCK_TEST('public', '4006', 'Exclusive', 'Session')".to_owned(),
        Engine::Sqlite => {
            let file = database.folder.path().join("app.db-lockage-4006.lock");
            let text = std::fs::read_to_string(file)?;
            return ensure(
                text.contains(&std::process::id().to_string()),
                "the lock file does not contain the holder",
            );
        }
    };
    let rows = database.rows(&query).await?;
    ensure(
        rows == [["1"]],
        &format!("the server reports {rows:?} for the lock"),
    )
}

/// Another tool acquires the lock with the engine's own statement, if the engine has one.
async fn shared_lock_id_waits_for_other_tool(database: &Database) -> Result<(), TestError> {
    let mut other_tool = connect(database.engine, &database.url).await?;
    let mut lock = None;
    match database.engine {
        Engine::Postgres => {
            let rows = other_tool.query("SELECT pg_advisory_lock(4004)").await;
            rows.map_err(|failure| failure.error)?;
        }
        Engine::Mysql => {
            let get_lock = format!("SELECT GET_LOCK('lockage:4004:{}', 0)", database.name());
            let granted = other_tool
                .query(&get_lock)
                .await
                .map_err(|failure| failure.error)?;
            ensure(
                granted == [[Some("1".to_owned())]],
                "the other tool did not acquire the lock",
            )?;
        }
        Engine::SqlServer => ensure(
            acquires(&mut *other_tool, "4004").await?,
            "the other tool did not acquire the lock",
        )?,
        Engine::Sqlite => {
            let session = database.session().await?;
            match session.try_lock(&LockKey::id(4004)).await? {
                TryLock::Acquired(locked) => lock = Some(locked),
                TryLock::Busy(_) => return Err("the other tool did not acquire the lock".into()),
            }
        }
    }
    let (waiting, mut events) = WaitRecorder::new();
    let store = database
        .builder()
        .migration_lock_id(4006)
        .migration_lock_id_override(4004)
        .observer(waiting)
        .build()?;
    let running = tokio::spawn({
        let store = store.clone();
        async move { store.migrate().await }
    });
    let key = next_event(&mut events, "the store to wait").await?;
    ensure(key == "4004", &format!("the store waits for {key}"))?;
    let checked = store.assert_current().await;
    ensure(
        checked.is_err_and(|error| error.kind() == ErrorKind::NotCurrent),
        "the store wrote while the other tool held the lock",
    )?;
    ensure(!running.is_finished(), "the store did not wait")?;
    drop(lock);
    drop(other_tool);
    let migrated = running.await??.main;
    ensure(
        migrated.applied.len() == 3 && migrated.lock == "4004",
        &format!("{migrated:?}"),
    )
}

async fn busy_lock_times_out_and_writes_nothing(database: &Database) -> Result<(), TestError> {
    let session = database.session().await?;
    let TryLock::Acquired(locked) = session.try_lock(&LockKey::id(4006)).await? else {
        return Err("the lock of a new database is held".into());
    };
    let store = database.builder().wait(LockWait::Never).build()?;
    for result in [store.migrate().await, store.rebuild().await] {
        let error = result.err().ok_or("migrated without the lock")?;
        ensure(
            error.kind() == ErrorKind::LockTimeout,
            &format!("{error:?}"),
        )?;
    }
    ensure(database.history().await.is_err(), "a history was created")?;
    locked.release().await?.close().await?;
    store.migrate().await?;
    Ok(())
}

async fn rebuild_holds_lock_from_drop_to_creation(database: &Database) -> Result<(), TestError> {
    database.store()?.migrate().await?;
    let tenants = database.table("tenants");
    let insert = format!("INSERT INTO {tenants} (tenant_id, connection_string) VALUES ('a', 'b')");
    database.execute(&insert).await?;
    // Three steps drop and three create; step 3 is the first that creates.
    let (pause, mut paused) = PauseAtStep::at_step(3);
    let store = database.builder().observer(pause).build()?;
    let running = tokio::spawn(async move { store.rebuild().await });
    paused.wait_reached().await?;
    ensure(
        !is_free(database, 4006).await?,
        "the lock is free between dropping and creating",
    )?;
    let rows = database.rows(&format!("SELECT * FROM {tenants}")).await;
    ensure(rows.is_err(), "the tables are not dropped")?;
    drop(paused);
    let rebuilt = running.await??.main;
    ensure(rebuilt.applied.len() == 3, &format!("{rebuilt:?}"))?;
    let rows = database.rows(&format!("SELECT * FROM {tenants}")).await?;
    ensure(rows.is_empty(), "a row survived the rebuild")?;
    database.store()?.assert_current().await?;
    Ok(())
}

/// Terminates the migrating session, or deletes its lock file.
async fn lock_lost_on_server_is_detected(database: &Database) -> Result<(), TestError> {
    let (pause, mut paused) = PauseAtStep::at_step(1);
    let store = database
        .builder()
        .observer(pause)
        .interrupt(Interrupt::new())
        .build()?;
    let running = tokio::spawn({
        let store: MessageStore = store.clone();
        async move { store.migrate().await }
    });
    paused.wait_reached().await?;
    let holder = store
        .lock_holder()
        .await?
        .ok_or("no session holds the lock")?;
    match (database.engine, &holder.session) {
        (Engine::Postgres, Some(session)) => {
            let terminate = format!("SELECT pg_terminate_backend({session})");
            database.rows(&terminate).await?;
        }
        (Engine::Mysql | Engine::SqlServer, Some(session)) => {
            database.execute(&format!("KILL {session}")).await?;
        }
        _ => std::fs::remove_file(database.folder.path().join("app.db-lockage-4006.lock"))?,
    }
    drop(paused);
    let error = running.await?.err().ok_or("the loss was not detected")?;
    ensure(
        matches!(error.kind(), ErrorKind::LockLost | ErrorKind::SessionLost),
        &format!("{error:?}"),
    )?;
    // One step was committed; the next run continues after it.
    let again = database.store()?.migrate().await?.main;
    ensure(again.applied.len() == 2, &format!("{again:?}"))
}
