//! The lock, as others see it and as it ends.

use std::time::Duration;

use lockage_core::{ConnectOptions, ErrorKind, LockKey, LockStrategy, LockWait};
use lockage_postgres::BACKEND;
use lockage_testkit::TestError;

use crate::place::{Place, until};

crate::tests!(
    the_holder_is_told_with_all_there_is,
    a_dropped_run_ends_its_statement_and_frees_the_lock,
    a_session_that_is_ended_says_so,
    the_holder_of_a_row_is_ended_and_its_row_given_back,
    keys_are_the_numbers_that_they_are_said_to_be,
    a_lock_belongs_to_its_database,
);

async fn the_holder_is_told_with_all_there_is(place: &Place) -> Result<(), TestError> {
    let gate = place.client().await?;
    gate.batch_execute("CREATE TABLE t (n int)").await?;
    gate.batch_execute("BEGIN; LOCK TABLE t").await?;
    let files = [
        ("V1__a.sql", "SELECT 1"),
        (
            "V20__b.sql",
            "SELECT 1; SELECT 2;\nINSERT INTO t\nVALUES (1)",
        ),
    ];
    let url = place.url() + "?application_name=shop";
    let runner = crate::place::runner(&url, &files)?
        .connect_options(|options| options.ddl_lock_timeout = None);
    let running = tokio::spawn(async move { runner.up().await });
    until(
        &place.client().await?,
        "SELECT 1 FROM here.locks WHERE relation = 't'::regclass AND NOT granted",
    )
    .await?;

    let watcher = place.runner(&files)?;
    let holder = watcher.lock_holder().await?.ok_or("no holder")?;
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
        Some(place.text("SELECT host(inet_client_addr())").await?)
    );
    assert_eq!(holder.user, Some(place.text("SELECT current_user").await?));
    let blocker = place
        .text("SELECT pid FROM here.locks WHERE relation = 't'::regclass AND granted AND mode = 'AccessExclusiveLock'")
        .await?;
    let progress = holder.progress.clone().unwrap_or_default();
    assert!(
        progress.starts_with(&format!("waits for session {blocker} since 20")),
        "{progress}"
    );
    let session = holder.session.clone().ok_or("no session")?;
    assert_eq!(
        place
            .text("SELECT pid FROM here.locks WHERE locktype = 'advisory'")
            .await?,
        session
    );
    let since = holder.since.clone().ok_or("no time")?;
    assert!(
        since.len() == "2026-01-31T09:30:00.123456Z".len() && since.ends_with('Z'),
        "{since}"
    );

    let refused = watcher
        .wait(LockWait::Never)
        .up()
        .await
        .err()
        .ok_or("two runs at once")?;
    assert_eq!(refused.kind(), ErrorKind::LockTimeout);
    assert!(
        refused.message().contains(&session) && refused.message().contains("at migration 20"),
        "{refused}"
    );
    gate.batch_execute("COMMIT").await?;
    running.await??;
    Ok(())
}

async fn a_dropped_run_ends_its_statement_and_frees_the_lock(place: &Place) -> Result<(), TestError> {
    let client = place.client().await?;
    for script in [
        "SELECT pg_sleep(600)",
        "-- lockage: no-transaction\nCALL sleeps()",
    ] {
        place
            .execute("CREATE OR REPLACE PROCEDURE sleeps() LANGUAGE sql AS 'SELECT pg_sleep(600)'")
            .await?;
        let runner = place.runner(&[("V1__a.sql", script)])?;
        let running = tokio::spawn(async move { runner.up().await });
        let asleep = "SELECT 1 FROM here.sessions WHERE wait_event = 'PgSleep'";
        until(&client, asleep).await?;
        running.abort();
        assert!(running.await.is_err_and(|error| error.is_cancelled()));
        let free =
            "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM here.locks WHERE locktype = 'advisory')";
        tokio::time::timeout(Duration::from_secs(60), until(&client, free)).await??;
        assert!(
            client
                .simple_query(asleep)
                .await?
                .iter()
                .all(|message| !matches!(message, tokio_postgres::SimpleQueryMessage::Row(_)))
        );
    }
    Ok(())
}

async fn a_session_that_is_ended_says_so(place: &Place) -> Result<(), TestError> {
    let mut session = BACKEND.connect(&ConnectOptions::new(place.url())?).await?;
    assert!(session.try_lock(&LockKey::default()).await?);
    let end = "SELECT pg_terminate_backend(pid) FROM here.locks WHERE locktype = 'advisory'";
    place.execute(end).await?;
    let client = place.client().await?;
    until(
        &client,
        "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM here.locks WHERE locktype = 'advisory')",
    )
    .await?;
    let error = session
        .holds(&LockKey::default())
        .await
        .err()
        .ok_or("the session lives")?;
    assert_eq!(error.kind(), ErrorKind::SessionLost);
    assert!(error.message().contains("administrator"), "{error:?}");
    let again = session
        .holds(&LockKey::default())
        .await
        .err()
        .ok_or("the session lives")?;
    assert_eq!(again.kind(), ErrorKind::SessionLost);
    Ok(())
}

/// Whoever asks, with whatever kind of lock.
async fn the_holder_of_a_row_is_ended_and_its_row_given_back(place: &Place) -> Result<(), TestError> {
    for strategy in [LockStrategy::Table, LockStrategy::Auto] {
        let by = |strategy| -> Result<_, TestError> {
            Ok(place
                .runner(&[("V1__a.sql", "SELECT pg_sleep(600)")])?
                .connect_options(|options| options.lock_strategy = strategy))
        };
        let run = by(LockStrategy::Table)?;
        let running = tokio::spawn(async move { run.up().await });
        until(
            &place.client().await?,
            "SELECT 1 FROM here.sessions WHERE wait_event = 'PgSleep'",
        )
        .await?;
        let breaker = by(strategy)?;
        let holder = breaker.lock_holder().await?.ok_or("nobody holds it")?;
        breaker.terminate_holder(&holder, Duration::from_secs(60)).await?;
        let error = running.await?.err().ok_or("it went on")?;
        assert_eq!(error.kind(), ErrorKind::SessionLost, "{error:?}");
        assert!(!error.is_connection_lost(), "{error:?}");
        // Nobody waits for a lease to run out.
        let next = place
            .runner(&[("V1__a.sql", "SELECT 1")])?
            .connect_options(|options| options.lock_strategy = LockStrategy::Table)
            .wait(LockWait::Never);
        next.up().await?;
        place.execute("DROP TABLE lockage_history").await?;
    }
    Ok(())
}

async fn keys_are_the_numbers_that_they_are_said_to_be(place: &Place) -> Result<(), TestError> {
    for (key, number) in [
        (LockKey::default(), 4006),
        (LockKey::id(-1), -1),
        (LockKey::id(i64::MIN), i64::MIN),
        // printf lockage:orders | sha256sum
        (LockKey::named("orders")?, 0x7650_c083_2e79_880a),
    ] {
        let mut session = BACKEND.connect(&ConnectOptions::new(place.url())?).await?;
        assert!(
            session.try_lock(&key).await? && session.try_lock(&key).await?,
            "{key}"
        );
        let other = place.client().await?;
        let taken =
            crate::place::texts(&other, &format!("SELECT pg_try_advisory_lock({number})")).await?;
        assert_eq!(taken, ["f"], "{key}");
        assert!(session.holds(&key).await?);
        session.unlock(&key).await?;
        assert!(!session.holds(&key).await?);
        let taken =
            crate::place::texts(&other, &format!("SELECT pg_try_advisory_lock({number})")).await?;
        assert_eq!(taken, ["t"], "{key}");
        assert!(
            !session.try_lock(&key).await? && !session.holds(&key).await?,
            "{key}"
        );
        let error = session
            .unlock(&key)
            .await
            .err()
            .ok_or("a lock of others was given back")?;
        assert_eq!(error.kind(), ErrorKind::LockLost);
        session.close().await?;
    }
    Ok(())
}

async fn a_lock_belongs_to_its_database(place: &Place) -> Result<(), TestError> {
    let mut here = BACKEND.connect(&ConnectOptions::new(place.url())?).await?;
    let mut there = BACKEND
        .connect(&ConnectOptions::new(place.url_of("postgres"))?)
        .await?;
    let key = LockKey::named(place.name())?;
    assert!(here.try_lock(&key).await?);
    assert!(!there.holds(&key).await? && there.holder(&key).await?.is_none());
    assert!(there.try_lock(&key).await?);
    there.close().await?;
    here.close().await?;
    Ok(())
}
