//! The native lock, `GET_LOCK`.

use std::time::{Duration, Instant};

use lockage_mysql::lockage_core::{Error, ErrorKind, LockKey};
use lockage_testkit::TestError;

use crate::lock_client::{connect, lock, lock_when_free};
use crate::runner::runner;
use crate::tcp_proxy::TcpProxy;
use crate::test_database::TestDatabase;

crate::test_list::tests!(
    native_lock_has_documented_name,
    databases_of_one_server_have_separate_locks,
    vanished_holder_loses_lock_and_idle_holder_keeps_it,
    client_lost_during_grant_releases_lock,
    unsupported_lock_is_reported_with_reason,
    lock_unknown_to_server_is_rejected,
    holder_report_includes_statement_and_progress,
);

async fn native_lock_has_documented_name(database: &TestDatabase) -> Result<(), TestError> {
    let locked = lock(connect(&database.url()).await?, &LockKey::default()).await?;
    let is_used = format!(
        "SELECT IS_USED_LOCK('lockage:4006:{}') IS NOT NULL",
        database.name()
    );
    assert_eq!(database.text(&is_used).await?, "1");
    locked.release().await?.close().await?;
    assert_eq!(database.text(&is_used).await?, "0");
    Ok(())
}

async fn databases_of_one_server_have_separate_locks(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let (key, server) = (LockKey::default(), database.url_of("lockage_other"));
    database
        .execute_on_server("CREATE DATABASE IF NOT EXISTS lockage_other")
        .await?;
    let first = lock(connect(&database.url()).await?, &key).await?;
    let second = lock(connect(&server).await?, &key).await?;
    second.release().await?;
    first.release().await?;
    Ok(())
}

async fn vanished_holder_loses_lock_and_idle_holder_keeps_it(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let (vanishing, idle) = (LockKey::id(1), LockKey::id(2));
    let mut idle = lock(connect(&database.url()).await?, &idle).await?;
    let proxy = TcpProxy::start(database.host()).await?;
    let vanished = lock(
        connect(&database.url_via(&proxy.address())).await?,
        &vanishing,
    )
    .await?;
    let started_at = Instant::now();
    proxy.blackhole();
    let acquired = lock_when_free(connect(&database.url()).await?, &vanishing).await?;
    let elapsed = started_at.elapsed();
    assert!(elapsed < Duration::from_secs(30), "{elapsed:?}");
    assert!(
        elapsed > Duration::from_secs(10),
        "the lock was released before the idle timeout, after {elapsed:?}"
    );
    assert!(
        idle.holds().await?,
        "an idle holder that is alive lost the lock"
    );
    acquired.release().await?;
    idle.release().await?;
    drop(vanished);
    Ok(())
}

async fn client_lost_during_grant_releases_lock(database: &TestDatabase) -> Result<(), TestError> {
    let proxy = TcpProxy::start(database.host()).await?;
    let vanishing = connect(&database.url_via(&proxy.address())).await?;
    proxy.blackhole_after("GET_LOCK");
    let trying = tokio::spawn(async move { vanishing.try_lock(&LockKey::default()).await });
    let held = format!(
        "SELECT 1 FROM (SELECT IS_USED_LOCK('lockage:4006:{}') AS s) AS l WHERE s IS NOT NULL",
        database.name()
    );
    database.wait_for_row(&held).await?;
    let started_at = Instant::now();
    let acquired = lock_when_free(connect(&database.url()).await?, &LockKey::default()).await?;
    assert!(
        started_at.elapsed() < Duration::from_secs(30),
        "{:?}",
        started_at.elapsed()
    );
    if trying.is_finished() {
        return Err(format!("the connection did not discard data: {:?}", trying.await?).into());
    }
    trying.abort();
    acquired.release().await?;
    Ok(())
}

/// Returns the error of a run whose GET_LOCK is replaced by another function.
async fn error_with_lock_function(
    database: &TestDatabase,
    replacement: &'static str,
) -> Result<Error, TestError> {
    let proxy = TcpProxy::start(database.host()).await?;
    proxy.replace("GET_LOCK(", replacement);
    let files = [("V1__a.sql", "CREATE TABLE a (n INT)")];
    let error = runner(&database.url_via(&proxy.address()), &files)?
        .up()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    assert!(
        error
            .hint()
            .is_some_and(|hint| hint.contains("--lock-strategy table")),
        "{error:?}"
    );
    assert_eq!(database.texts("SHOW TABLES").await?, [""; 0]);
    Ok(error.into())
}

async fn unsupported_lock_is_reported_with_reason(
    database: &TestDatabase,
) -> Result<(), TestError> {
    // The function returns NULL, with a warning.
    let error = error_with_lock_function(database, "NULLIF(  ").await?;
    assert!(error.message().contains("Truncated incorrect"), "{error}");
    // The function fails, as on a cluster that forbids GET_LOCK.
    let error = error_with_lock_function(database, "GETLOCK( ").await?;
    assert!(error.message().contains("does not exist"), "{error}");
    Ok(())
}

async fn lock_unknown_to_server_is_rejected(database: &TestDatabase) -> Result<(), TestError> {
    // The function returns 1 and locks nothing.
    let error = error_with_lock_function(database, "STRCMP(  ").await?;
    assert!(
        error
            .message()
            .contains("does not report this session as its holder"),
        "{error}"
    );
    Ok(())
}

async fn holder_report_includes_statement_and_progress(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let barrier = lock(connect(&database.url()).await?, &LockKey::id(9)).await?;
    let script = format!(
        "CREATE TABLE a (n INT); DO GET_LOCK('lockage:9:{}', 120)",
        database.name()
    );
    let files = [("V7__slow.sql", script.as_str())];
    let running = database.runner(&files)?;
    let running = tokio::spawn(async move { running.up().await });
    database
        .wait_for_row(&database.sessions_running("DO GET_LOCK"))
        .await?;
    let mut session = connect(&database.url()).await?;
    let holder = session.holder(&LockKey::default()).await?;
    barrier.release().await?;
    running.await??;
    let holder = holder.ok_or("no holder")?;
    assert!(
        holder
            .statement
            .as_deref()
            .is_some_and(|text| text.starts_with("DO GET_LOCK")),
        "{holder:?}"
    );
    assert!(
        holder
            .migration
            .as_deref()
            .is_some_and(|text| text.starts_with('7')),
        "{holder:?}"
    );
    assert!(
        holder.progress.as_deref().is_some_and(
            |text| text.contains("user lock for ") && text.ends_with("1 of 2 statements done")
        ),
        "{holder:?}"
    );
    let process = format!("lockage, process {}", std::process::id());
    assert_eq!(holder.application, Some(process), "{holder:?}");
    assert!(holder.since.is_some(), "{holder:?}");
    let idle = lock(session, &LockKey::default()).await?;
    let holder = connect(&database.url())
        .await?
        .holder(&LockKey::default())
        .await?;
    idle.release().await?;
    let progress = holder
        .and_then(|holder| holder.progress)
        .unwrap_or_default();
    assert!(progress.starts_with("idle for "), "{progress}");
    Ok(())
}
