//! Concurrent index builds, and other statements outside a transaction.

use lockage_core::{ErrorKind, Interrupt, LockWait};
use lockage_testkit::TestError;
use tokio_postgres::Client;

use crate::error_checks::{context_contains, error_line, error_of, script_error};
use crate::migrations::{no_transaction, spawn_up};
use crate::test_database::{TERMINATE_LOCK_HOLDER, TestDatabase, wait_until};

crate::tests!(
    failed_index_build_is_reported_and_dropped,
    failed_unnamed_index_build_is_dropped,
    existing_invalid_index_is_an_error,
    in_doubt_index_build_is_repeated,
    completed_in_doubt_index_build_is_kept,
    index_build_of_other_session_is_kept,
    cancelled_index_build_is_dropped,
    waiting_replicas_do_not_block_index_build,
    ddl_lock_timeout_does_not_abort_index_build,
    in_doubt_autocommit_statements_are_resolved,
    terminated_reindex_leaves_no_invalid_index,
    interrupted_detach_is_finalized_by_the_next_run,
);

const BUILD: &str = "-- lockage: no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS \"i A\" ON app.t (n);\nCREATE TABLE after (n int)";
/// Has a row while a session builds an index.
const BUILDING: &str = "SELECT 1 FROM test_schema.builds WHERE index_relid <> 0";

/// Selects whether the index of [`BUILD`] is valid; no row if it does not exist.
const VALID: &str = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('app.\"i A\"')";

async fn create_table(database: &TestDatabase, rows: &str) -> Result<(), TestError> {
    database
        .execute(&format!(
            "CREATE SCHEMA app; CREATE TABLE app.t (n int); INSERT INTO app.t VALUES {rows}"
        ))
        .await
}

/// Opens a transaction that uses the table: an index build waits for its end.
async fn open_transaction(database: &TestDatabase, row: u32) -> Result<Client, TestError> {
    let client = database.client().await?;
    client
        .batch_execute(&format!("BEGIN; INSERT INTO app.t VALUES ({row})"))
        .await?;
    Ok(client)
}

async fn failed_index_build_is_reported_and_dropped(
    database: &TestDatabase,
) -> Result<(), TestError> {
    create_table(database, "(1), (1)").await?;
    let error = script_error(database, BUILD, ErrorKind::MigrationFailed).await?;
    assert!(
        context_contains(
            &error,
            "index",
            "app.\"i A\" was left invalid and was dropped"
        ),
        "{error:?}"
    );
    assert!(context_contains(&error, "detail", "(n)=(1)"), "{error:?}");
    assert_eq!(error_line(&error), Some(2), "{error:?}");
    assert_eq!(database.text(VALID).await?, "");
    assert_eq!(database.text("SHOW lock_timeout").await?, "0");
    database
        .execute("DELETE FROM app.t WHERE ctid = (SELECT min(ctid) FROM app.t)")
        .await?;
    database.runner(&[("V1__a.sql", BUILD)])?.up().await?;
    assert_eq!(database.text(VALID).await?, "t");
    Ok(())
}

async fn failed_unnamed_index_build_is_dropped(database: &TestDatabase) -> Result<(), TestError> {
    create_table(database, "(1), (1)").await?;
    let error = script_error(
        database,
        "-- lockage: no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY ON app.t (n)",
        ErrorKind::MigrationFailed,
    )
    .await?;
    assert!(
        context_contains(
            &error,
            "index",
            "app.t_n_idx was left invalid and was dropped"
        ),
        "{error:?}"
    );
    assert!(
        database
            .texts("SELECT 1 FROM pg_index WHERE NOT indisvalid")
            .await?
            .is_empty()
    );
    let error = script_error(
        database,
        "-- lockage: no-transaction\nREINDEX TABLE CONCURRENTLY app.missing",
        ErrorKind::MigrationFailed,
    )
    .await?;
    assert!(!context_contains(&error, "index", ""), "{error:?}");
    Ok(())
}

async fn existing_invalid_index_is_an_error(database: &TestDatabase) -> Result<(), TestError> {
    create_table(database, "(1), (1)").await?;
    let by_hand = "CREATE UNIQUE INDEX CONCURRENTLY \"i A\" ON app.t (n)";
    assert!(database.execute(by_hand).await.is_err());
    assert_eq!(database.text(VALID).await?, "f");
    let error = script_error(database, BUILD, ErrorKind::MigrationFailed).await?;
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
    // It existed before the run.
    assert_eq!(database.text(VALID).await?, "f");
    database.execute("DELETE FROM app.t").await?;
    database
        .execute("REINDEX INDEX CONCURRENTLY app.\"i A\"")
        .await?;
    database.runner(&[("V1__a.sql", BUILD)])?.up().await?;
    Ok(())
}

/// Terminates a run while its index build waits for a transaction that uses the table.
async fn terminate_build(database: &TestDatabase) -> Result<(), TestError> {
    create_table(database, "(1)").await?;
    let user = open_transaction(database, 2).await?;
    let runner = database.runner(&[("V1__a.sql", BUILD)])?;
    let running = spawn_up(runner);
    let building =
        "SELECT 1 FROM test_schema.builds WHERE phase LIKE 'waiting%' AND index_relid <> 0";
    let client = database.client().await?;
    wait_until(&client, building).await?;
    database
        .execute("SELECT pg_terminate_backend(pid) FROM test_schema.builds")
        .await?;
    error_of(running.await?, ErrorKind::SessionLost)?;
    wait_until(
        &client,
        "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM test_schema.builds)",
    )
    .await?;
    user.batch_execute("COMMIT").await?;
    assert_eq!(database.text(VALID).await?, "f");
    assert_eq!(
        database.text("SELECT state FROM lockage_journal").await?,
        "started"
    );
    Ok(())
}

async fn in_doubt_index_build_is_repeated(database: &TestDatabase) -> Result<(), TestError> {
    terminate_build(database).await?;
    database.runner(&[("V1__a.sql", BUILD)])?.up().await?;
    assert_eq!(database.text(VALID).await?, "t");
    assert_eq!(
        database.text("SELECT state FROM lockage_history").await?,
        "applied"
    );
    Ok(())
}

async fn completed_in_doubt_index_build_is_kept(database: &TestDatabase) -> Result<(), TestError> {
    terminate_build(database).await?;
    database
        .execute("REINDEX INDEX CONCURRENTLY app.\"i A\"")
        .await?;
    let oid = database.text("SELECT 'app.\"i A\"'::regclass::oid").await?;
    database.runner(&[("V1__a.sql", BUILD)])?.up().await?;
    assert_eq!(
        database.text("SELECT 'app.\"i A\"'::regclass::oid").await?,
        oid
    );
    Ok(())
}

async fn index_build_of_other_session_is_kept(database: &TestDatabase) -> Result<(), TestError> {
    terminate_build(database).await?;
    database.execute("DROP INDEX app.\"i A\"").await?;
    let user = open_transaction(database, 3).await?;
    let other = database.client().await?;
    let building = tokio::spawn(async move {
        other
            .batch_execute("CREATE UNIQUE INDEX CONCURRENTLY \"i A\" ON app.t (n)")
            .await
    });
    database.wait_until(BUILDING).await?;
    let error = script_error(database, BUILD, ErrorKind::Diverged).await?;
    assert!(
        error.message().contains("is being built by session"),
        "{error}"
    );
    user.batch_execute("COMMIT").await?;
    building.await??;
    database.runner(&[("V1__a.sql", BUILD)])?.up().await?;
    Ok(())
}

async fn cancelled_index_build_is_dropped(database: &TestDatabase) -> Result<(), TestError> {
    create_table(database, "(1)").await?;
    let user = open_transaction(database, 2).await?;
    let interrupt = Interrupt::new();
    let runner = database
        .runner(&[("V1__a.sql", BUILD)])?
        .interrupt(interrupt.clone());
    let running = spawn_up(runner);
    let client = database.client().await?;
    wait_until(&client, BUILDING).await?;
    interrupt.trigger();
    // Dropping the index waits for the same transaction.
    wait_until(
        &client,
        "SELECT 1 FROM test_schema.sessions WHERE query LIKE 'DROP INDEX CONCURRENTLY%'",
    )
    .await?;
    user.batch_execute("COMMIT").await?;
    error_of(running.await?, ErrorKind::Interrupted)?;
    assert_eq!(database.text(VALID).await?, "");
    database.runner(&[("V1__a.sql", BUILD)])?.up().await?;
    assert_eq!(database.text(VALID).await?, "t");
    Ok(())
}

async fn waiting_replicas_do_not_block_index_build(
    database: &TestDatabase,
) -> Result<(), TestError> {
    create_table(database, "(1)").await?;
    let user = open_transaction(database, 2).await?;
    let mut replicas = Vec::new();
    for _ in 0..6 {
        let runner = database
            .runner(&[("V1__a.sql", BUILD)])?
            .wait(LockWait::Forever);
        replicas.push(spawn_up(runner));
    }
    let client = database.client().await?;
    wait_until(&client, BUILDING).await?;
    let waiting_replicas = "SELECT 1 FROM test_schema.sessions WHERE query LIKE '%pg_try_advisory_lock%' HAVING count(*) >= 3";
    wait_until(&client, waiting_replicas).await?;
    user.batch_execute("COMMIT").await?;
    let mut locked = 0;
    for replica in replicas {
        let report = replica.await??;
        locked += u32::from(!report.applied.is_empty());
    }
    assert_eq!(locked, 1);
    assert_eq!(database.text(VALID).await?, "t");
    Ok(())
}

async fn ddl_lock_timeout_does_not_abort_index_build(
    database: &TestDatabase,
) -> Result<(), TestError> {
    create_table(database, "(1)").await?;
    let user = open_transaction(database, 2).await?;
    let read = "CREATE TABLE seen AS SELECT current_setting('lock_timeout') AS s";
    let script = format!("-- lockage: ddl-lock-timeout=10ms\n{BUILD};\n{read}");
    let runner = database.runner(&[("V1__a.sql", &script)])?;
    let running = spawn_up(runner);
    // The build waits for longer than the lock timeout.
    let waits = "SELECT 1 FROM test_schema.sessions WHERE query LIKE '%CREATE UNIQUE INDEX%' AND wait_event_type = 'Lock' \
                 AND query_start < clock_timestamp() - interval '100 ms'";
    database.wait_until(waits).await?;
    user.batch_execute("COMMIT").await?;
    running.await??;
    assert_eq!(database.text("SELECT s FROM seen").await?, "10ms");
    Ok(())
}

/// The journal says that the statements started, as after a run that was killed.
async fn in_doubt_autocommit_statements_are_resolved(
    database: &TestDatabase,
) -> Result<(), TestError> {
    database
        .execute("CREATE TABLE t (n int); CREATE INDEX kept ON t (n)")
        .await?;
    for (statement, reason) in [
        ("VACUUM t", None),
        ("DROP INDEX CONCURRENTLY dropped", None),
        ("DROP INDEX CONCURRENTLY kept", None),
        ("CALL nothing()", Some("CALL may commit")),
    ] {
        let script = no_transaction(&format!("{statement};\nSELECT 1/0"));
        database
            .execute(
                "CREATE OR REPLACE PROCEDURE nothing() LANGUAGE sql AS 'SELECT 1'; \
                 DROP TABLE IF EXISTS lockage_history, lockage_journal",
            )
            .await?;
        if statement.ends_with("dropped") {
            database.execute("CREATE INDEX dropped ON t (n)").await?;
        }
        // The statement itself succeeds, and the division fails.
        let division = script_error(database, &script, ErrorKind::MigrationFailed).await?;
        assert_eq!(division.message(), "division by zero", "{statement}");
        database
            .execute("UPDATE lockage_journal SET state = 'started'")
            .await?;
        let (kind, message) = match reason {
            None => (ErrorKind::MigrationFailed, "division by zero"),
            Some(reason) => (ErrorKind::Diverged, reason),
        };
        let error = script_error(database, &script, kind).await?;
        assert!(error.message().contains(message), "{statement}: {error}");
    }
    Ok(())
}

async fn terminated_reindex_leaves_no_invalid_index(
    database: &TestDatabase,
) -> Result<(), TestError> {
    create_table(database, "(1)").await?;
    database.execute("CREATE INDEX i ON app.t (n)").await?;
    let user = open_transaction(database, 2).await?;
    let script = no_transaction("REINDEX TABLE CONCURRENTLY app.t");
    let running = spawn_up(database.runner(&[("V1__a.sql", &*script)])?);
    database
        .wait_until("SELECT 1 FROM pg_class WHERE relname = 'i_ccnew'")
        .await?;
    database.execute(TERMINATE_LOCK_HOLDER).await?;
    error_of(running.await?, ErrorKind::SessionLost)?;
    user.batch_execute("ROLLBACK").await?;
    let invalid = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid";
    assert_eq!(database.texts(invalid).await?, ["app.i_ccnew"]);
    database.runner(&[("V1__a.sql", &*script)])?.up().await?;
    assert!(database.texts(invalid).await?.is_empty());
    Ok(())
}

async fn interrupted_detach_is_finalized_by_the_next_run(
    database: &TestDatabase,
) -> Result<(), TestError> {
    if database.version().await? < 14 {
        return Ok(());
    }
    let script = no_transaction(
        "-- lockage: statement-timeout=300ms\nALTER TABLE p DETACH PARTITION c CONCURRENTLY",
    );
    for terminated in [false, true] {
        database
            .execute(
                "DROP TABLE IF EXISTS lockage_history, lockage_journal, p, c; CREATE TABLE p (n int) PARTITION BY LIST (n); \
                 CREATE TABLE c PARTITION OF p FOR VALUES IN (1)",
            )
            .await?;
        let user = database.client().await?;
        user.batch_execute("BEGIN; SELECT * FROM p").await?;
        let pending = "SELECT 1 FROM pg_inherits WHERE inhdetachpending";
        if terminated {
            let script = script.replace("300ms", "1h");
            let running = spawn_up(database.runner(&[("V1__a.sql", &*script)])?);
            database.wait_until(pending).await?;
            database.execute(TERMINATE_LOCK_HOLDER).await?;
            error_of(running.await?, ErrorKind::SessionLost)?;
        } else {
            let error = script_error(database, &script, ErrorKind::MigrationFailed).await?;
            assert!(
                context_contains(&error, "partition", "partly detached"),
                "{error:?}"
            );
        }
        assert_eq!(database.text(pending).await?, "1");
        user.batch_execute("ROLLBACK").await?;
        let runner = database.runner(&[("V1__a.sql", &*script)])?;
        runner.up().await?;
        assert!(
            database
                .texts("SELECT 1 FROM pg_inherits")
                .await?
                .is_empty()
        );
    }
    Ok(())
}
