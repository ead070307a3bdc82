//! Hosts that vanish from the network, and processes that freeze.

use std::time::Duration;

use lockage_core::LockWait;
use lockage_test_matrix::engine::NetworkNamespace;
use lockage_testkit::TestError;

use crate::child::{Child, Role};
use crate::migrations::no_transaction;
use crate::sql_client::first_column;
use crate::test_database::{LOCK_FREE, SLEEPING, TERMINATE_LOCK_HOLDER, TestDatabase, wait_until};

crate::tests!(
    holder_host_loss_releases_lock,
    waiter_host_loss_never_acquires_lock,
    server_host_loss_ends_the_run,
    frozen_holder_writes_nothing_after_lock_loss,
);

/// The guaranteed maximum duration.
const LIMIT: Duration = Duration::from_secs(30);

/// The holder is idle, runs a statement, or is about to receive a reply.
async fn holder_host_loss_releases_lock(database: &TestDatabase) -> Result<(), TestError> {
    let mut cases = tokio::task::JoinSet::new();
    for script in [
        None,
        Some("SELECT pg_sleep(600)"),
        Some("SELECT pg_sleep(4)"),
    ] {
        let database = TestDatabase::new(database.url_of("postgres")).await?;
        if database.version().await? < 14 && script == Some("SELECT pg_sleep(600)") {
            // PostgreSQL 13 does not check its client while a statement runs.
            continue;
        }
        cases.spawn(async move {
            let namespace = NetworkNamespace::new()?;
            let url = namespace.guest_url(&database.url());
            let script_text = script.unwrap_or("SELECT 1");
            let mut child =
                Child::start_holder(&namespace.exec_prefix(), Role::Hold, &url, script_text)
                    .await?;
            let client = database.client().await?;
            if script.is_some() {
                child.resume().await?;
                wait_until(&client, SLEEPING).await?;
            }
            namespace.drop_packets()?;
            tokio::time::timeout(LIMIT, wait_until(&client, LOCK_FREE))
                .await
                .map_err(|_| format!("the lock is still held after {LIMIT:?} ({script:?})"))??;
            let acquired = first_column(&client, "SELECT pg_try_advisory_lock(4006)").await?;
            assert_eq!(acquired, ["t"]);
            drop(child);
            Ok::<_, TestError>(())
        });
    }
    while let Some(case) = cases.join_next().await {
        case??;
    }
    Ok(())
}

async fn waiter_host_loss_never_acquires_lock(database: &TestDatabase) -> Result<(), TestError> {
    let client = database.client().await?;
    let holder = database.client().await?;
    holder
        .batch_execute("SELECT pg_advisory_lock(4006)")
        .await?;
    let namespace = NetworkNamespace::new()?;
    let child = Child::start(
        &namespace.exec_prefix(),
        Role::Up,
        &namespace.guest_url(&database.url()),
        &["CREATE TABLE theirs (n int)"],
    )?;
    wait_until(
        &client,
        "SELECT 1 FROM test_schema.sessions WHERE query LIKE '%lockage_history%' AND application_name LIKE 'lockage@%'",
    )
    .await?;
    namespace.drop_packets()?;
    holder
        .batch_execute("SELECT pg_advisory_unlock(4006)")
        .await?;
    let next = database
        .runner(&[("V1__a.sql", "CREATE TABLE ours (n int)")])?
        .wait(LockWait::For(LIMIT));
    next.up().await?;
    assert_eq!(
        database
            .texts("SELECT tablename::text FROM pg_tables WHERE tablename IN ('ours', 'theirs')")
            .await?,
        ["ours"]
    );
    drop(child);
    Ok(())
}

/// The client must not wait for a reply forever.
async fn server_host_loss_ends_the_run(database: &TestDatabase) -> Result<(), TestError> {
    let namespace = NetworkNamespace::new()?;
    let url = namespace.guest_url(&database.url());
    let mut child = Child::start_holder(
        &namespace.exec_prefix(),
        Role::Hold,
        &url,
        "SELECT pg_sleep(600)",
    )
    .await?;
    child.resume().await?;
    database.wait_until(SLEEPING).await?;
    namespace.drop_packets()?;
    let message = tokio::time::timeout(LIMIT, child.message())
        .await
        .map_err(|_| format!("the client still waits after {LIMIT:?}"))??;
    assert!(message.starts_with("session_lost"), "{message}");
    Ok(())
}

async fn frozen_holder_writes_nothing_after_lock_loss(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let script = "CREATE TABLE IF NOT EXISTS a (n int);\nINSERT INTO a VALUES (1)";
    let autocommit = no_transaction(&format!("{script};\nINSERT INTO a VALUES (1)"));
    for (role, script) in [
        (Role::Hold, script),
        (Role::Hold, &*autocommit),
        (Role::HoldRow, script),
        (Role::HoldRow, &*autocommit),
    ] {
        let mut child = Child::start_holder(&[], role, &database.url(), script).await?;
        child.signal("STOP").await?;
        if role == Role::Hold {
            database.execute(TERMINATE_LOCK_HOLDER).await?;
        }
        // A terminated session has released the lock. A lease expires while the holder is frozen.
        database.runner(&[("V1__a.sql", script)])?.up().await?;
        let rows = database.text("SELECT count(*) FROM a").await?;
        child.signal("CONT").await?;
        child.resume().await?;
        let message = child.message().await?;
        assert!(
            message.starts_with("session_lost")
                || message.starts_with("lock_lost")
                || message.contains("session"),
            "{message}"
        );
        assert_eq!(
            database.text("SELECT count(*) FROM a").await?,
            rows,
            "{role:?}"
        );
        database
            .execute(
                "DROP TABLE a, lockage_history; DROP TABLE IF EXISTS lockage_journal, lockage_lock",
            )
            .await?;
    }
    Ok(())
}
