//! The lock, seen from beside.

use lockage_message_store::lockage_core::{TryLock, Interrupt, LockKey, LockWait};
use lockage_message_store::{ErrorKind, MessageStore};
use lockage_testkit::TestError;

use crate::database::{Database, connect};
use crate::server_features::takes;
use crate::target_engine::Engine;
use crate::observers::{PauseAtStep, WaitRecorder, next_event};

crate::tests![
    lock_is_exclusive_while_held_and_free_after_release,
    shared_lock_id_waits_for_other_tool,
    busy_lock_times_out_and_writes_nothing,
    rebuild_holds_lock_from_drop_to_creation,
    lock_lost_on_server_is_detected,
];

/// Whether a session of somebody else can take a lock; gives it back at once.
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

fn ensure(truth: bool, what: &str) -> Result<(), TestError> {
    if truth { Ok(()) } else { Err(what.into()) }
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
    paused.reached().await?;
    ensure(
        !is_free(database, 4006).await?,
        "a second session got the lock 4006 during a migration",
    )?;
    ensure(
        is_free(database, 4007).await?,
        "the lock 4007 is taken by nobody, and yet not free",
    )?;
    ensure(
        store.lock_holder().await?.is_some(),
        "nobody is seen to hold the lock",
    )?;
    seen_by_the_engine(database).await?;
    drop(paused);
    running.await??;
    ensure(
        is_free(database, 4006).await?,
        "the lock is not free after the migration",
    )?;
    ensure(
        store.lock_holder().await?.is_none(),
        "somebody is seen to hold the lock after the migration",
    )
}

/// The same, in the engine's own words.
async fn seen_by_the_engine(database: &Database) -> Result<(), TestError> {
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
                "the lock's file does not tell the holder",
            );
        }
    };
    let rows = database.rows(&query).await?;
    ensure(
        rows == [["1"]],
        &format!("the server says {rows:?} of the lock"),
    )
}

/// The neighbour takes the lock with the engine's own words where it has some.
async fn shared_lock_id_waits_for_other_tool(
    database: &Database,
) -> Result<(), TestError> {
    let mut neighbour = connect(database.engine, &database.url).await?;
    let mut lock = None;
    match database.engine {
        Engine::Postgres => {
            let rows = neighbour.query("SELECT pg_advisory_lock(4004)").await;
            rows.map_err(|failure| failure.error)?;
        }
        Engine::Mysql => {
            let get = format!("SELECT GET_LOCK('lockage:4004:{}', 0)", database.name());
            let got = neighbour
                .query(&get)
                .await
                .map_err(|failure| failure.error)?;
            ensure(
                got == [[Some("1".to_owned())]],
                "the neighbour did not get its lock",
            )?;
        }
        Engine::SqlServer => ensure(
            takes(&mut *neighbour, "4004").await?,
            "the neighbour did not get its lock",
        )?,
        Engine::Sqlite => {
            let session = database.session().await?;
            match session.try_lock(&LockKey::id(4004)).await? {
                TryLock::Acquired(locked) => lock = Some(locked),
                TryLock::Busy(_) => return Err("the neighbour did not get its lock".into()),
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
    let seen = store.assert_current().await;
    ensure(
        seen.is_err_and(|error| error.kind() == ErrorKind::NotCurrent),
        "the store wrote while its neighbour held the lock",
    )?;
    ensure(!running.is_finished(), "the store did not wait")?;
    drop(lock);
    drop(neighbour);
    let migrated = running.await??.main;
    ensure(
        migrated.applied.len() == 3 && migrated.lock == "4004",
        &format!("{migrated:?}"),
    )
}

async fn busy_lock_times_out_and_writes_nothing(
    database: &Database,
) -> Result<(), TestError> {
    let session = database.session().await?;
    let TryLock::Acquired(locked) = session.try_lock(&LockKey::id(4006)).await? else {
        return Err("the lock of a fresh database is taken".into());
    };
    let store = database.builder().wait(LockWait::Never).build()?;
    for ended in [store.migrate().await, store.rebuild().await] {
        let error = ended.err().ok_or("migrated without the lock")?;
        ensure(
            error.kind() == ErrorKind::LockTimeout,
            &format!("{error:?}"),
        )?;
    }
    ensure(database.history().await.is_err(), "there is a history")?;
    locked.release().await?.close().await?;
    store.migrate().await?;
    Ok(())
}

async fn rebuild_holds_lock_from_drop_to_creation(
    database: &Database,
) -> Result<(), TestError> {
    database.store()?.migrate().await?;
    let incoming = database.table("tenants");
    let insert = format!("INSERT INTO {incoming} (tenant_id, connection_string) VALUES ('a', 'b')");
    database.execute(&insert).await?;
    // Three steps down and three up: the fourth is the first that makes something.
    let (pause, mut paused) = PauseAtStep::at_step(3);
    let store = database.builder().observer(pause).build()?;
    let running = tokio::spawn(async move { store.rebuild().await });
    paused.reached().await?;
    ensure(
        !is_free(database, 4006).await?,
        "the lock is free between dropping and creating",
    )?;
    let rows = database.rows(&format!("SELECT * FROM {incoming}")).await;
    ensure(rows.is_err(), "the tables are not dropped")?;
    drop(paused);
    let rebuilt = running.await??.main;
    ensure(rebuilt.applied.len() == 3, &format!("{rebuilt:?}"))?;
    let rows = database.rows(&format!("SELECT * FROM {incoming}")).await?;
    ensure(rows.is_empty(), "a row outlived the rebuild")?;
    database.store()?.assert_current().await?;
    Ok(())
}

/// The session that migrates is ended by an administrator, or its lock's file removed.
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
    paused.reached().await?;
    let holder = store.lock_holder().await?.ok_or("nobody holds the lock")?;
    match (database.engine, &holder.session) {
        (Engine::Postgres, Some(session)) => {
            let end = format!("SELECT pg_terminate_backend({session})");
            database.rows(&end).await?;
        }
        (Engine::Mysql | Engine::SqlServer, Some(session)) => {
            database.execute(&format!("KILL {session}")).await?;
        }
        _ => std::fs::remove_file(database.folder.path().join("app.db-lockage-4006.lock"))?,
    }
    drop(paused);
    let error = running.await?.err().ok_or("the loss was not noticed")?;
    ensure(
        matches!(error.kind(), ErrorKind::LockLost | ErrorKind::SessionLost),
        &format!("{error:?}"),
    )?;
    // The one step that was committed stays, and the next run goes on behind it.
    let again = database.store()?.migrate().await?.main;
    ensure(again.applied.len() == 2, &format!("{again:?}"))
}
