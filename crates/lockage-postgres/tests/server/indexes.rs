//! Indexes that are built while others use the table.

use lockage_core::{Error, ErrorKind, LockWait};
use lockage_testkit::TestError;

use crate::place::{Place, until};

crate::tests!(
    a_failed_build_is_named_and_cleared_away,
    a_failed_build_without_a_name_is_cleared_away,
    an_invalid_index_is_not_taken_for_a_built_one,
    a_build_that_nobody_saw_the_end_of_is_done_again,
    a_build_that_was_done_after_all_is_not_done_again,
    a_build_in_the_hands_of_others_is_left_alone,
    a_cancelled_build_is_cleared_away,
    a_build_and_replicas_that_wait_do_not_hinder_each_other,
    a_limit_for_busy_tables_does_not_end_a_build,
    other_statements_that_run_alone_are_settled,
);

const BUILD: &str = "-- lockage: no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS \"i A\" ON app.t (n);\nCREATE TABLE behind (n int)";
const VALID: &str = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('app.\"i A\"')";

async fn table(place: &Place, rows: &str) -> Result<(), TestError> {
    place
        .execute(&format!(
            "CREATE SCHEMA app; CREATE TABLE app.t (n int); INSERT INTO app.t VALUES {rows}"
        ))
        .await
}

async fn fails(place: &Place, script: &str) -> Result<Error, TestError> {
    let outcome = place.runner(&[("V1__a.sql", script)])?.up().await;
    Ok(outcome.err().ok_or("no failure")?)
}

fn has(error: &Error, key: &str, part: &str) -> bool {
    error
        .context()
        .any(|(found, value)| found == key && value.contains(part))
}

async fn a_failed_build_is_named_and_cleared_away(place: &Place) -> Result<(), TestError> {
    table(place, "(1), (1)").await?;
    let error = fails(place, BUILD).await?;
    assert_eq!(error.kind(), ErrorKind::MigrationFailed);
    assert!(
        has(
            &error,
            "index",
            "app.\"i A\" was left invalid and is dropped again"
        ),
        "{error:?}"
    );
    assert!(has(&error, "detail", "(n)=(1)"), "{error:?}");
    assert_eq!(
        error.location().and_then(|location| location.line),
        Some(2),
        "{error:?}"
    );
    assert_eq!(place.text(VALID).await?, "");
    assert_eq!(place.text("SHOW lock_timeout").await?, "0");
    place
        .execute("DELETE FROM app.t WHERE ctid = (SELECT min(ctid) FROM app.t)")
        .await?;
    place.runner(&[("V1__a.sql", BUILD)])?.up().await?;
    assert_eq!(place.text(VALID).await?, "t");
    Ok(())
}

async fn a_failed_build_without_a_name_is_cleared_away(place: &Place) -> Result<(), TestError> {
    table(place, "(1), (1)").await?;
    let error = fails(
        place,
        "-- lockage: no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY ON app.t (n)",
    )
    .await?;
    assert!(
        has(
            &error,
            "index",
            "app.t_n_idx was left invalid and is dropped again"
        ),
        "{error:?}"
    );
    assert!(
        place
            .texts("SELECT 1 FROM pg_index WHERE NOT indisvalid")
            .await?
            .is_empty()
    );
    let error = fails(
        place,
        "-- lockage: no-transaction\nREINDEX TABLE CONCURRENTLY app.missing",
    )
    .await?;
    assert!(!has(&error, "index", ""), "{error:?}");
    Ok(())
}

async fn an_invalid_index_is_not_taken_for_a_built_one(place: &Place) -> Result<(), TestError> {
    table(place, "(1), (1)").await?;
    let by_hand = "CREATE UNIQUE INDEX CONCURRENTLY \"i A\" ON app.t (n)";
    assert!(place.execute(by_hand).await.is_err());
    assert_eq!(place.text(VALID).await?, "f");
    let error = fails(place, BUILD).await?;
    assert!(
        error
            .message()
            .contains("the index app.\"i A\" exists and is invalid"),
        "{error}"
    );
    let hint = error.hint().unwrap_or_default();
    assert!(
        hint.contains("DROP INDEX CONCURRENTLY app.\"i A\"")
            && hint.contains("REINDEX INDEX CONCURRENTLY"),
        "{hint}"
    );
    // It was there before us.
    assert_eq!(place.text(VALID).await?, "f");
    place.execute("DELETE FROM app.t").await?;
    place
        .execute("REINDEX INDEX CONCURRENTLY app.\"i A\"")
        .await?;
    place.runner(&[("V1__a.sql", BUILD)])?.up().await?;
    Ok(())
}

/// A run that was ended by an administrator while its build waited for a user of the table.
async fn dead_build(place: &Place) -> Result<(), TestError> {
    table(place, "(1)").await?;
    let user = place.client().await?;
    user.batch_execute("BEGIN; INSERT INTO app.t VALUES (2)")
        .await?;
    let runner = place.runner(&[("V1__a.sql", BUILD)])?;
    let running = tokio::spawn(async move { runner.up().await });
    let building = "SELECT 1 FROM here.builds WHERE phase LIKE 'waiting%' AND index_relid <> 0";
    let client = place.client().await?;
    until(&client, building).await?;
    place
        .execute("SELECT pg_terminate_backend(pid) FROM here.builds")
        .await?;
    let error = running.await?.err().ok_or("the build came through")?;
    assert_eq!(error.kind(), ErrorKind::SessionLost, "{error:?}");
    until(
        &client,
        "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM here.builds)",
    )
    .await?;
    user.batch_execute("COMMIT").await?;
    assert_eq!(place.text(VALID).await?, "f");
    assert_eq!(
        place.text("SELECT state FROM lockage_journal").await?,
        "started"
    );
    Ok(())
}

async fn a_build_that_nobody_saw_the_end_of_is_done_again(place: &Place) -> Result<(), TestError> {
    dead_build(place).await?;
    place.runner(&[("V1__a.sql", BUILD)])?.up().await?;
    assert_eq!(place.text(VALID).await?, "t");
    assert_eq!(
        place.text("SELECT state FROM lockage_history").await?,
        "applied"
    );
    Ok(())
}

async fn a_build_that_was_done_after_all_is_not_done_again(place: &Place) -> Result<(), TestError> {
    dead_build(place).await?;
    place
        .execute("REINDEX INDEX CONCURRENTLY app.\"i A\"")
        .await?;
    let oid = place.text("SELECT 'app.\"i A\"'::regclass::oid").await?;
    place.runner(&[("V1__a.sql", BUILD)])?.up().await?;
    assert_eq!(
        place.text("SELECT 'app.\"i A\"'::regclass::oid").await?,
        oid
    );
    Ok(())
}

async fn a_build_in_the_hands_of_others_is_left_alone(place: &Place) -> Result<(), TestError> {
    dead_build(place).await?;
    place.execute("DROP INDEX app.\"i A\"").await?;
    let user = place.client().await?;
    user.batch_execute("BEGIN; INSERT INTO app.t VALUES (3)")
        .await?;
    let other = place.client().await?;
    let building = tokio::spawn(async move {
        other
            .batch_execute("CREATE UNIQUE INDEX CONCURRENTLY \"i A\" ON app.t (n)")
            .await
    });
    until(
        &place.client().await?,
        "SELECT 1 FROM here.builds WHERE index_relid <> 0",
    )
    .await?;
    let error = fails(place, BUILD).await?;
    assert_eq!(error.kind(), ErrorKind::Diverged, "{error:?}");
    assert!(
        error.message().contains("is being built by session"),
        "{error}"
    );
    user.batch_execute("COMMIT").await?;
    building.await??;
    place.runner(&[("V1__a.sql", BUILD)])?.up().await?;
    Ok(())
}

async fn a_cancelled_build_is_cleared_away(place: &Place) -> Result<(), TestError> {
    table(place, "(1)").await?;
    let user = place.client().await?;
    user.batch_execute("BEGIN; INSERT INTO app.t VALUES (2)")
        .await?;
    let interrupt = lockage_core::Interrupt::new();
    let runner = place
        .runner(&[("V1__a.sql", BUILD)])?
        .interrupt(interrupt.clone());
    let running = tokio::spawn(async move { runner.up().await });
    let client = place.client().await?;
    until(&client, "SELECT 1 FROM here.builds WHERE index_relid <> 0").await?;
    interrupt.trigger();
    // While the table is in use, the index cannot be dropped either.
    until(
        &client,
        "SELECT 1 FROM here.sessions WHERE query LIKE 'DROP INDEX CONCURRENTLY%'",
    )
    .await?;
    user.batch_execute("COMMIT").await?;
    let error = running.await?.err().ok_or("the build came through")?;
    assert_eq!(error.kind(), ErrorKind::Interrupted, "{error:?}");
    assert_eq!(place.text(VALID).await?, "");
    place.runner(&[("V1__a.sql", BUILD)])?.up().await?;
    assert_eq!(place.text(VALID).await?, "t");
    Ok(())
}

async fn a_build_and_replicas_that_wait_do_not_hinder_each_other(
    place: &Place,
) -> Result<(), TestError> {
    table(place, "(1)").await?;
    let user = place.client().await?;
    user.batch_execute("BEGIN; INSERT INTO app.t VALUES (2)")
        .await?;
    let mut replicas = Vec::new();
    for _ in 0..6 {
        let runner = place
            .runner(&[("V1__a.sql", BUILD)])?
            .wait(LockWait::Forever);
        replicas.push(tokio::spawn(async move { runner.up().await }));
    }
    let client = place.client().await?;
    until(&client, "SELECT 1 FROM here.builds WHERE index_relid <> 0").await?;
    let waiting = "SELECT 1 FROM here.sessions WHERE query LIKE '%pg_try_advisory_lock%' HAVING count(*) >= 3";
    until(&client, waiting).await?;
    user.batch_execute("COMMIT").await?;
    let mut locked = 0;
    for replica in replicas {
        let report = replica.await??;
        locked += u32::from(!report.applied.is_empty());
    }
    assert_eq!(locked, 1);
    assert_eq!(place.text(VALID).await?, "t");
    Ok(())
}

async fn a_limit_for_busy_tables_does_not_end_a_build(place: &Place) -> Result<(), TestError> {
    table(place, "(1)").await?;
    let user = place.client().await?;
    user.batch_execute("BEGIN; INSERT INTO app.t VALUES (2)")
        .await?;
    let look = "CREATE TABLE seen AS SELECT current_setting('lock_timeout') AS s";
    let script = format!("-- lockage: ddl-lock-timeout=10ms\n{BUILD};\n{look}");
    let runner = place.runner(&[("V1__a.sql", &script)])?;
    let running = tokio::spawn(async move { runner.up().await });
    // Longer than the limit.
    let waits = "SELECT 1 FROM here.sessions WHERE query LIKE '%CREATE UNIQUE INDEX%' AND wait_event_type = 'Lock' \
                 AND query_start < clock_timestamp() - interval '100 ms'";
    until(&place.client().await?, waits).await?;
    user.batch_execute("COMMIT").await?;
    running.await??;
    assert_eq!(place.text("SELECT s FROM seen").await?, "10ms");
    Ok(())
}

/// Statements whose end nobody saw, as a run that died leaves them in the journal.
async fn other_statements_that_run_alone_are_settled(place: &Place) -> Result<(), TestError> {
    place
        .execute("CREATE TABLE t (n int); CREATE INDEX kept ON t (n)")
        .await?;
    for (statement, expected) in [
        ("VACUUM t", None),
        ("DROP INDEX CONCURRENTLY gone", None),
        ("DROP INDEX CONCURRENTLY kept", None),
        ("CALL nothing()", Some("CALL may commit")),
    ] {
        let script = format!("-- lockage: no-transaction\n{statement};\nSELECT 1/0");
        place.execute("CREATE OR REPLACE PROCEDURE nothing() LANGUAGE sql AS 'SELECT 1'; DROP TABLE IF EXISTS lockage_history, lockage_journal").await?;
        if statement.ends_with("gone") {
            place.execute("CREATE INDEX gone ON t (n)").await?;
        }
        // Up to the division, everything is done.
        assert_eq!(
            fails(place, &script).await?.message(),
            "division by zero",
            "{statement}"
        );
        place
            .execute("UPDATE lockage_journal SET state = 'started'")
            .await?;
        let error = fails(place, &script).await?;
        match expected {
            None => assert_eq!(error.message(), "division by zero", "{statement}"),
            Some(part) => assert!(
                error.kind() == ErrorKind::Diverged && error.message().contains(part),
                "{error}"
            ),
        }
    }
    Ok(())
}
