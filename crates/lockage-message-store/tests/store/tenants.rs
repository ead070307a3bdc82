//! A main store with tenants.

use lockage_message_store::lockage_core::{LockKey, TryLock};
use lockage_message_store::{ErrorKind, MessageStore};
use lockage_testkit::TestError;

use crate::database::{Database, with_database};
use crate::observers::{WaitRecorder, next_event};
use crate::target_engine::Engine;

crate::tests![
    tenants_are_migrated_in_parallel_under_their_own_locks,
    failing_tenant_is_named_and_others_are_migrated,
];

/// Another session holds the lock of one tenant: that tenant waits, and the others do not.
async fn tenants_are_migrated_in_parallel_under_their_own_locks(
    database: &Database,
) -> Result<(), TestError> {
    let (north, south) = (
        database.second_database().await?,
        database.second_database().await?,
    );
    let outcome = with_tenants(database, &north, &south).await;
    north.drop().await?;
    south.drop().await?;
    outcome
}

async fn with_tenants(
    main: &Database,
    north: &Database,
    south: &Database,
) -> Result<(), TestError> {
    // The override applies to every tenant.
    let TryLock::Acquired(holder) = north.session().await?.try_lock(&LockKey::id(4004)).await?
    else {
        return Err("the lock of a new database is held".into());
    };
    let (waiting, mut events) = WaitRecorder::new();
    let store = main
        .builder()
        .migration_lock_id_override(4004)
        .tenant("north", &north.url)
        .tenant("south", &south.url)
        .observer(waiting)
        .build()?;
    let running = tokio::spawn({
        let store = store.clone();
        async move { store.migrate().await }
    });
    next_event(&mut events, "the tenant to wait").await?;
    for done in [main, south] {
        until_current(&done.store()?).await?;
    }
    match north.store()?.assert_current().await {
        Err(error) if error.kind() == ErrorKind::NotCurrent => {}
        other => return Err(format!("the tenant did not wait: {other:?}").into()),
    }
    holder.release().await?.close().await?;
    let migrated = running.await??;
    let names: Vec<&str> = migrated.tenants.iter().map(|(name, _)| &**name).collect();
    let reports = migrated.tenants.iter().map(|(_, report)| report);
    if names != ["north", "south"]
        || reports
            .chain([&migrated.main])
            .any(|report| report.applied.len() != 3)
    {
        return Err(format!("{migrated:?}").into());
    }
    store.assert_current().await?;
    let again = store.migrate().await?;
    if again.main.took_lock || again.tenants.iter().any(|(_, report)| report.took_lock) {
        return Err(format!("another run: {again:?}").into());
    }
    Ok(())
}

/// Waits until a store is current.
async fn until_current(store: &MessageStore) -> Result<(), TestError> {
    let poll = async {
        while store.assert_current().await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let deadline = std::time::Duration::from_secs(120);
    tokio::time::timeout(deadline, poll)
        .await
        .map_err(|_| "the store was not migrated, although its lock was free".into())
}

async fn failing_tenant_is_named_and_others_are_migrated(
    database: &Database,
) -> Result<(), TestError> {
    let good = database.second_database().await?;
    let missing = match database.engine {
        Engine::Sqlite => "sqlite:/nowhere/at/all/app.db".to_owned(),
        _ => with_database(&database.url, "missing_database"),
    };
    let store = database
        .builder()
        .tenant("bad", &missing)
        .tenant("good", &good.url)
        .tenant("worse", &missing)
        .build()?;
    let error = store.migrate().await.err();
    let current = (
        database.store()?.assert_current().await,
        good.store()?.assert_current().await,
    );
    good.drop().await?;
    let error = error.ok_or("the migration of two missing databases succeeded")?;
    let related: Vec<&str> = error
        .related()
        .iter()
        .map(|error| error.message())
        .collect();
    if error.kind() != ErrorKind::Connect
        || !error.message().starts_with("tenant `bad`: ")
        || related.len() != 1
        || !related[0].starts_with("tenant `worse`: ")
    {
        return Err(format!("{error:?}").into());
    }
    current.0?;
    Ok(current.1?)
}
