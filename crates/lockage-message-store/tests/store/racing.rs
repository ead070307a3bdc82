//! Many processes on one database.

use lockage_testkit::{Failure, SoleHolder};

use crate::catalogue::assert_schema;
use crate::child::Replica;
use crate::database::Database;
use crate::document::Document;
use crate::site::setting;

crate::tests![
    sixteen_concurrent_migrations_do_not_race_on_create_schema,
    a_dead_holder_is_followed_by_another,
];

async fn sixteen_concurrent_migrations_do_not_race_on_create_schema(
    database: &Database,
) -> Result<(), Failure> {
    let rounds = setting("LOCKAGE_TEST_ROUNDS", 2)?;
    for round in 1..=rounds {
        let fresh = database.neighbour().await?;
        let outcome = race(&fresh).await;
        fresh.remove().await?;
        outcome.map_err(|failure| format!("round {round} of {rounds}: {failure}"))?;
    }
    Ok(())
}

async fn race(database: &Database) -> Result<(), Failure> {
    let holder_file = database.folder.path().join("holder");
    let mut replicas = Vec::new();
    for _ in 0..setting("LOCKAGE_TEST_REPLICAS", 16)? {
        replicas.push(Replica::start(&database.url, &holder_file, "race").await?);
    }
    for replica in &mut replicas {
        replica.go().await?;
    }
    let mut said = Vec::new();
    for replica in &mut replicas {
        said.push(replica.hear().await?);
    }
    said.sort();
    // Whoever did nothing saw it done; whoever did something did all of it.
    let mut expected = vec!["applied 3".to_owned()];
    expected.resize(said.len(), "up_to_date".to_owned());
    if said != expected {
        return Err(format!("the replicas said {said:#?}").into());
    }
    if SoleHolder::saw_two(&holder_file) {
        return Err("two held the lock at once".into());
    }
    complete(database).await
}

/// The schema is the document's, each migration stands in the history once, and one run more writes nothing.
async fn complete(database: &Database) -> Result<(), Failure> {
    assert_schema(database, None, "", &Document::read()?).await?;
    let history = database.table("lockage_message_history");
    let rows = database
        .rows(&format!(
            "SELECT version, state FROM {history} ORDER BY version"
        ))
        .await?;
    let applied = ["1", "2", "3"].map(|version| vec![version.to_owned(), "applied".to_owned()]);
    if rows != applied {
        return Err(format!("the history says {rows:?}").into());
    }
    let before = database.history().await?;
    let again = database.store()?.migrate().await?.main;
    if again.took_lock || !again.applied.is_empty() {
        return Err(format!("one run more: {again:?}").into());
    }
    if database.history().await? != before {
        return Err("one run more changed the history".into());
    }
    Ok(())
}

/// The process that migrates is killed between two migrations, as `kill -9` does, with others waiting.
async fn a_dead_holder_is_followed_by_another(database: &Database) -> Result<(), Failure> {
    let holder_file = database.folder.path().join("holder");
    let mut holder = Replica::start(&database.url, &holder_file, "pause").await?;
    holder.go().await?;
    match holder.hear().await?.as_str() {
        "paused" => {}
        said => return Err(format!("the holder was to pause and said `{said}`").into()),
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
    let mut said = Vec::new();
    for waiter in &mut waiters {
        said.push(waiter.hear().await?);
    }
    said.sort();
    if said[0] != "applied 2" || said[1..].iter().any(|said| said != "up_to_date") {
        return Err(format!("the waiters said {said:#?}").into());
    }
    if SoleHolder::saw_two(&holder_file) {
        return Err("two held the lock at once".into());
    }
    complete(database).await
}
