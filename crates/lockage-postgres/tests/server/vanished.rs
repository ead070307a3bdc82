//! Hosts that vanish without a word, and processes that freeze.

use std::time::Duration;

use lockage_core::LockWait;
use lockage_testkit::Failure;
use lockage_testkit::engine::Island;

use crate::child::{Child, Part};
use crate::place::{Place, until};

crate::tests!(
    a_holder_whose_host_vanishes_frees_the_lock,
    a_waiter_whose_host_vanishes_never_gets_the_lock,
    a_run_whose_server_vanishes_ends,
    a_frozen_holder_that_lost_the_lock_writes_nothing,
);

/// What is promised.
const BOUND: Duration = Duration::from_secs(30);

const FREE: &str =
    "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM here.locks WHERE locktype = 'advisory')";
const ASLEEP: &str = "SELECT 1 FROM here.sessions WHERE wait_event = 'PgSleep'";

/// Idle, in the middle of a statement, and with an answer under way.
async fn a_holder_whose_host_vanishes_frees_the_lock(place: &Place) -> Result<(), Failure> {
    let mut scenes = tokio::task::JoinSet::new();
    for script in [
        None,
        Some("SELECT pg_sleep(600)"),
        Some("SELECT pg_sleep(4)"),
    ] {
        let place = Place::new(place.url_of("postgres")).await?;
        let version: u32 = place.text("SHOW server_version_num").await?.parse()?;
        if version < 140_000 && script == Some("SELECT pg_sleep(600)") {
            // Nothing there looks for a client while a statement runs.
            continue;
        }
        scenes.spawn(async move {
            let island = Island::new()?;
            let mut child = Child::start(
                &island.there(),
                Part::Hold,
                &island.url(&place.url()),
                &[script.unwrap_or("SELECT 1")],
            )?;
            assert_eq!(child.says().await?, "locked");
            let client = place.client().await?;
            if script.is_some() {
                child.go_on().await?;
                until(&client, ASLEEP).await?;
            }
            island.cut_off()?;
            tokio::time::timeout(BOUND, until(&client, FREE))
                .await
                .map_err(|_| format!("the lock is held after {BOUND:?} ({script:?})"))??;
            let got = crate::place::texts(&client, "SELECT pg_try_advisory_lock(4006)").await?;
            assert_eq!(got, ["t"]);
            drop(child);
            Ok::<_, Failure>(())
        });
    }
    while let Some(scene) = scenes.join_next().await {
        scene??;
    }
    Ok(())
}

async fn a_waiter_whose_host_vanishes_never_gets_the_lock(place: &Place) -> Result<(), Failure> {
    let client = place.client().await?;
    let holder = place.client().await?;
    holder
        .batch_execute("SELECT pg_advisory_lock(4006)")
        .await?;
    let island = Island::new()?;
    let child = Child::start(
        &island.there(),
        Part::Up,
        &island.url(&place.url()),
        &["CREATE TABLE theirs (n int)"],
    )?;
    until(
        &client,
        "SELECT 1 FROM here.sessions WHERE query LIKE '%lockage_history%' AND application_name LIKE 'lockage@%'",
    )
    .await?;
    island.cut_off()?;
    holder
        .batch_execute("SELECT pg_advisory_unlock(4006)")
        .await?;
    let next = place
        .runner(&[("V1__a.sql", "CREATE TABLE ours (n int)")])?
        .wait(LockWait::For(BOUND));
    next.up().await?;
    assert_eq!(
        place
            .texts("SELECT tablename::text FROM pg_tables WHERE tablename IN ('ours', 'theirs')")
            .await?,
        ["ours"]
    );
    drop(child);
    Ok(())
}

/// The other way round: the client must not wait for an answer that will not come.
async fn a_run_whose_server_vanishes_ends(place: &Place) -> Result<(), Failure> {
    let island = Island::new()?;
    let mut child = Child::start(
        &island.there(),
        Part::Hold,
        &island.url(&place.url()),
        &["SELECT pg_sleep(600)"],
    )?;
    assert_eq!(child.says().await?, "locked");
    child.go_on().await?;
    until(&place.client().await?, ASLEEP).await?;
    island.cut_off()?;
    let said = tokio::time::timeout(BOUND, child.says())
        .await
        .map_err(|_| format!("the client waits after {BOUND:?}"))??;
    assert!(said.starts_with("session_lost"), "{said}");
    Ok(())
}

async fn a_frozen_holder_that_lost_the_lock_writes_nothing(place: &Place) -> Result<(), Failure> {
    let script = "CREATE TABLE IF NOT EXISTS a (n int);\nINSERT INTO a VALUES (1)";
    let outside = format!("-- lockage: no-transaction\n{script};\nINSERT INTO a VALUES (1)");
    for (part, script) in [
        (Part::Hold, script),
        (Part::Hold, &*outside),
        (Part::HoldRow, script),
        (Part::HoldRow, &*outside),
    ] {
        let mut child = Child::start(&[], part, &place.url(), &[script])?;
        assert_eq!(child.says().await?, "locked");
        child.signal("STOP").await?;
        if part == Part::Hold {
            place
                .execute(
                    "SELECT pg_terminate_backend(pid) FROM here.locks WHERE locktype = 'advisory'",
                )
                .await?;
        }
        // Its lease runs out while it stands still; a lock of its session ended with that.
        place.runner(&[("V1__a.sql", script)])?.up().await?;
        let rows = place.text("SELECT count(*) FROM a").await?;
        child.signal("CONT").await?;
        child.go_on().await?;
        let said = child.says().await?;
        assert!(
            said.starts_with("session_lost")
                || said.starts_with("lock_lost")
                || said.contains("session"),
            "{said}"
        );
        assert_eq!(
            place.text("SELECT count(*) FROM a").await?,
            rows,
            "{part:?}"
        );
        place
            .execute(
                "DROP TABLE a, lockage_history; DROP TABLE IF EXISTS lockage_journal, lockage_lock",
            )
            .await?;
    }
    Ok(())
}
