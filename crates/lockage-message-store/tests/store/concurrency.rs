//! Many processes on one database.

use lockage_testkit::{ExclusivityProbe, TestError};

use crate::catalog::assert_schema;
use crate::database::Database;
use crate::documented_schema::DocumentedSchema;
use crate::replica::Replica;
use crate::target_engine::setting;

crate::tests![
    sixteen_concurrent_migrations_do_not_race_on_create_schema,
    killed_holder_is_replaced_by_waiter,
];

async fn sixteen_concurrent_migrations_do_not_race_on_create_schema(
    database: &Database,
) -> Result<(), TestError> {
    let rounds = setting("LOCKAGE_TEST_ROUNDS", 2)?;
    for round in 1..=rounds {
        let other = database.second_database().await?;
        let outcome = race(&other).await;
        other.drop().await?;
        outcome.map_err(|failure| format!("round {round} of {rounds}: {failure}"))?;
    }
    Ok(())
}

async fn race(database: &Database) -> Result<(), TestError> {
    let holder_file = database.folder.path().join("holder");
    let mut replicas = Vec::new();
    for _ in 0..setting("LOCKAGE_TEST_REPLICAS", 16)? {
        replicas.push(Replica::start(&database.url, &holder_file, "race").await?);
    }
    for replica in &mut replicas {
        replica.go().await?;
    }
    let mut results = Vec::new();
    for replica in &mut replicas {
        results.push(replica.next_line().await?);
    }
    results.sort();
    // One replica applies all migrations; the others find them applied.
    let mut expected = vec!["applied 3".to_owned()];
    expected.resize(results.len(), "up_to_date".to_owned());
    if results != expected {
        return Err(format!("the replicas reported {results:#?}").into());
    }
    if ExclusivityProbe::detected_overlap(&holder_file) {
        return Err("two replicas held the lock at the same time".into());
    }
    assert_complete(database).await
}

/// Checks that the schema matches the documentation, that each migration has one row, and that another run writes nothing.
async fn assert_complete(database: &Database) -> Result<(), TestError> {
    assert_schema(database, None, "", &DocumentedSchema::read()?).await?;
    let history = database.table("lockage_message_history");
    let rows = database
        .rows(&format!(
            "SELECT version, state FROM {history} ORDER BY version"
        ))
        .await?;
    let applied = ["1", "2", "3"].map(|version| vec![version.to_owned(), "applied".to_owned()]);
    if rows != applied {
        return Err(format!("the history contains {rows:?}").into());
    }
    let before = database.history().await?;
    let again = database.store()?.migrate().await?.main;
    if again.took_lock || !again.applied.is_empty() {
        return Err(format!("another run: {again:?}").into());
    }
    if database.history().await? != before {
        return Err("another run changed the history".into());
    }
    Ok(())
}

/// Kills the migrating process between two migrations, as `kill -9` does, while others wait.
async fn killed_holder_is_replaced_by_waiter(database: &Database) -> Result<(), TestError> {
    let holder_file = database.folder.path().join("holder");
    let mut holder = Replica::start(&database.url, &holder_file, "pause").await?;
    holder.go().await?;
    match holder.next_line().await?.as_str() {
        "paused" => {}
        line => return Err(format!("expected `paused` from the holder, not `{line}`").into()),
    }
    let mut waiters = Vec::new();
    for _ in 0..4 {
        let mut waiter = Replica::start(&database.url, &holder_file, "race").await?;
        waiter.go().await?;
        waiters.push(waiter);
    }
    let store = database.store()?;
    if store.lock_holder().await?.is_none() {
        return Err("the paused run does not hold the lock".into());
    }
    holder.kill().await?;
    let mut results = Vec::new();
    for waiter in &mut waiters {
        results.push(waiter.next_line().await?);
    }
    results.sort();
    if results[0] != "applied 2" || results[1..].iter().any(|result| result != "up_to_date") {
        return Err(format!("the waiters reported {results:#?}").into());
    }
    if ExclusivityProbe::detected_overlap(&holder_file) {
        return Err("two replicas held the lock at the same time".into());
    }
    assert_complete(database).await
}
