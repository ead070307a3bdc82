//! A main store and those of tenants.

use lockage_message_store::lockage_core::{TryLock, LockKey};
use lockage_message_store::{ErrorKind, MessageStore};
use lockage_testkit::TestError;

use crate::database::{Database, with_database};
use crate::target_engine::Engine;
use crate::observers::{WaitRecorder, next_event};

crate::tests![
    tenants_are_migrated_in_parallel_under_their_own_locks,
    failing_tenant_is_named_and_others_are_migrated,
];

/// The lock of one tenant is in somebody else's hands: it waits, and the others do not.
async fn tenants_are_migrated_in_parallel_under_their_own_locks(
    database: &Database,
) -> Result<(), TestError> {
    let (north, south) = (database.second_database().await?, database.second_database().await?);
    let outcome = with_tenants(database, &north, &south).await;
    north.remove().await?;
    south.remove().await?;
    outcome
}

async fn with_tenants(main: &Database, north: &Database, south: &Database) -> Result<(), TestError> {
    // The override is every tenant's.
    let TryLock::Acquired(neighbour) = north.session().await?.try_lock(&LockKey::id(4004)).await?
    else {
        return Err("the lock of a fresh database is taken".into());
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
    neighbour.release().await?.close().await?;
    let migrated = running.await??;
    let names: Vec<&str> = migrated.tenants.iter().map(|(name, _)| &**name).collect();
    let each = migrated.tenants.iter().map(|(_, report)| report);
    if names != ["north", "south"]
        || each
            .chain([&migrated.main])
            .any(|one| one.applied.len() != 3)
    {
        return Err(format!("{migrated:?}").into());
    }
    store.assert_current().await?;
    let again = store.migrate().await?;
    if again.main.took_lock || again.tenants.iter().any(|(_, report)| report.took_lock) {
        return Err(format!("one run more: {again:?}").into());
    }
    Ok(())
}

/// Looks until a store is current.
async fn until_current(store: &MessageStore) -> Result<(), TestError> {
    let look = async {
        while store.assert_current().await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let deadline = std::time::Duration::from_secs(120);
    tokio::time::timeout(deadline, look)
        .await
        .map_err(|_| "waited in vain for a store that nobody holds up".into())
}

async fn failing_tenant_is_named_and_others_are_migrated(
    database: &Database,
) -> Result<(), TestError> {
    let good = database.second_database().await?;
    let missing = match database.engine {
        Engine::Sqlite => "sqlite:/nowhere/at/all/app.db".to_owned(),
        _ => with_database(&database.url, "not_there_at_all"),
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
    good.remove().await?;
    let error = error.ok_or("two tenants have no database, and yet all is well")?;
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
