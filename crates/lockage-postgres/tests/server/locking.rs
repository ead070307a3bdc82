//! Advisory locks: their ids, what other sessions see, and how they are released.

use std::time::Duration;

use lockage_core::{ConnectOptions, ErrorKind, LockKey, LockStrategy, LockWait, Session};
use lockage_postgres::BACKEND;
use lockage_testkit::TestError;

use crate::error_checks::{error_of, expect_error};
use crate::migrations::{runner, spawn_up};
use crate::sql_client::first_column;
use crate::test_database::{LOCK_FREE, SLEEPING, TERMINATE_LOCK_HOLDER, TestDatabase, wait_until};

crate::tests!(
    holder_report_includes_all_fields,
    dropped_run_cancels_its_statement_and_releases_lock,
    terminated_session_reports_session_lost,
    terminated_row_holder_releases_its_row,
    lock_keys_match_documented_ids,
    lock_is_scoped_to_its_database,
);

async fn open_session(url: &str) -> Result<Box<dyn Session>, TestError> {
    Ok(BACKEND.connect(&ConnectOptions::new(url)?).await?)
}

/// The second migration blocks while another transaction locks the table `t`.
const HOLDER_FILES: &[(&str, &str)] = &[
    ("V1__a.sql", "SELECT 1"),
    (
        "V20__b.sql",
        "SELECT 1; SELECT 2;\nINSERT INTO t\nVALUES (1)",
    ),
];

async fn holder_report_includes_all_fields(database: &TestDatabase) -> Result<(), TestError> {
    let blocking = database.client().await?;
    blocking.batch_execute("CREATE TABLE t (n int)").await?;
    blocking.batch_execute("BEGIN; LOCK TABLE t").await?;
    let url = database.url() + "?application_name=shop";
    let runner =
        runner(&url, HOLDER_FILES)?.connect_options(|options| options.ddl_lock_timeout = None);
    let running = spawn_up(runner);
    database
        .wait_until(
            "SELECT 1 FROM test_schema.locks WHERE relation = 't'::regclass AND NOT granted",
        )
        .await?;

    let waiter = database.runner(HOLDER_FILES)?;
    let holder = waiter.lock_holder().await?.ok_or("no holder")?;
    let host = lockage_sql::client_host();
    assert_eq!(
        holder.application,
        Some(format!("shop lockage@{host} V20 #3"))
    );
    assert_eq!(holder.migration.as_deref(), Some("20"));
    assert_eq!(
        holder.statement.as_deref(),
        Some("INSERT INTO t VALUES (1)")
    );
    assert_eq!(
        holder.host,
        Some(database.text("SELECT host(inet_client_addr())").await?)
    );
    assert_eq!(
        holder.user,
        Some(database.text("SELECT current_user").await?)
    );
    let blocker = database
        .text("SELECT pid FROM test_schema.locks WHERE relation = 't'::regclass AND granted AND mode = 'AccessExclusiveLock'")
        .await?;
    let progress = holder.progress.clone().unwrap_or_default();
    assert!(
        progress.starts_with(&format!("waits for session {blocker} since 20")),
        "{progress}"
    );
    let session = holder.session.clone().ok_or("no session")?;
    assert_eq!(
        database
            .text("SELECT pid FROM test_schema.locks WHERE locktype = 'advisory'")
            .await?,
        session
    );
    assert!(holder.since.is_some_and(|since| is_rfc3339(&since)));

    let error = expect_error(waiter.wait(LockWait::Never), ErrorKind::LockTimeout).await?;
    assert!(
        error.message().contains(&session) && error.message().contains("at migration 20"),
        "{error}"
    );
    blocking.batch_execute("COMMIT").await?;
    running.await??;
    Ok(())
}

fn is_rfc3339(time: &str) -> bool {
    time.len() == "2026-01-31T09:30:00.123456Z".len() && time.ends_with('Z')
}

async fn dropped_run_cancels_its_statement_and_releases_lock(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let client = database.client().await?;
    for script in [
        "SELECT pg_sleep(600)",
        "-- lockage: no-transaction\nCALL sleeps()",
    ] {
        database
            .execute("CREATE OR REPLACE PROCEDURE sleeps() LANGUAGE sql AS 'SELECT pg_sleep(600)'")
            .await?;
        let runner = database.runner(&[("V1__a.sql", script)])?;
        let running = spawn_up(runner);
        wait_until(&client, SLEEPING).await?;
        running.abort();
        assert!(running.await.is_err_and(|error| error.is_cancelled()));
        tokio::time::timeout(Duration::from_secs(60), wait_until(&client, LOCK_FREE)).await??;
        assert!(first_column(&client, SLEEPING).await?.is_empty());
    }
    Ok(())
}

async fn terminated_session_reports_session_lost(database: &TestDatabase) -> Result<(), TestError> {
    let mut session = open_session(&database.url()).await?;
    assert!(session.try_lock(&LockKey::default()).await?);
    database.execute(TERMINATE_LOCK_HOLDER).await?;
    database.wait_until(LOCK_FREE).await?;
    let error = session
        .holds(&LockKey::default())
        .await
        .err()
        .ok_or("the session exists")?;
    assert_eq!(error.kind(), ErrorKind::SessionLost);
    assert!(error.message().contains("administrator"), "{error:?}");
    let repeated = session
        .holds(&LockKey::default())
        .await
        .err()
        .ok_or("the session exists")?;
    assert_eq!(repeated.kind(), ErrorKind::SessionLost);
    Ok(())
}

/// The session that terminates the holder may use either kind of lock.
async fn terminated_row_holder_releases_its_row(database: &TestDatabase) -> Result<(), TestError> {
    for strategy in [LockStrategy::Table, LockStrategy::Auto] {
        let run_with = |strategy| -> Result<_, TestError> {
            Ok(database
                .runner(&[("V1__a.sql", "SELECT pg_sleep(600)")])?
                .connect_options(|options| options.lock_strategy = strategy))
        };
        let running = spawn_up(run_with(LockStrategy::Table)?);
        database.wait_until(SLEEPING).await?;
        let terminator = run_with(strategy)?;
        let holder = terminator
            .lock_holder()
            .await?
            .ok_or("the lock has no holder")?;
        terminator
            .terminate_holder(&holder, Duration::from_secs(60))
            .await?;
        let error = error_of(running.await?, ErrorKind::SessionLost)?;
        assert!(!error.is_connection_lost(), "{error:?}");
        // The next run does not wait until the lease expires.
        let next = database
            .runner(&[("V1__a.sql", "SELECT 1")])?
            .connect_options(|options| options.lock_strategy = LockStrategy::Table)
            .wait(LockWait::Never);
        next.up().await?;
        database.execute("DROP TABLE lockage_history").await?;
    }
    Ok(())
}

async fn lock_keys_match_documented_ids(database: &TestDatabase) -> Result<(), TestError> {
    for (key, id) in [
        (LockKey::default(), 4006),
        (LockKey::id(-1), -1),
        (LockKey::id(i64::MIN), i64::MIN),
        // printf lockage:orders | sha256sum
        (LockKey::named("orders")?, 0x7650_c083_2e79_880a),
    ] {
        let mut session = open_session(&database.url()).await?;
        assert!(
            session.try_lock(&key).await? && session.try_lock(&key).await?,
            "{key}"
        );
        let other = database.client().await?;
        let try_lock = format!("SELECT pg_try_advisory_lock({id})");
        assert_eq!(first_column(&other, &try_lock).await?, ["f"], "{key}");
        assert!(session.holds(&key).await?);
        session.unlock(&key).await?;
        assert!(!session.holds(&key).await?);
        assert_eq!(first_column(&other, &try_lock).await?, ["t"], "{key}");
        assert!(
            !session.try_lock(&key).await? && !session.holds(&key).await?,
            "{key}"
        );
        let error = session
            .unlock(&key)
            .await
            .err()
            .ok_or("the lock of another session was released")?;
        assert_eq!(error.kind(), ErrorKind::LockLost);
        session.close().await?;
    }
    Ok(())
}

async fn lock_is_scoped_to_its_database(database: &TestDatabase) -> Result<(), TestError> {
    let mut ours = open_session(&database.url()).await?;
    let mut theirs = open_session(&database.url_of("postgres")).await?;
    let key = LockKey::named(database.name())?;
    assert!(ours.try_lock(&key).await?);
    assert!(!theirs.holds(&key).await? && theirs.holder(&key).await?.is_none());
    assert!(theirs.try_lock(&key).await?);
    theirs.close().await?;
    ours.close().await?;
    Ok(())
}
