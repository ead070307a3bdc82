//! The lock as the server sees it.

use std::time::{Duration, Instant};

use lockage_mysql::BACKEND;
use lockage_mysql::lockage_core::{
    TryLock, ConnectOptions, Error, ErrorKind, LockKey, LockStrategy, Locked, Registry, Unlocked,
};
use lockage_testkit::Failure;

use crate::place::{Place, runner};
use crate::proxy::Proxy;

crate::tests!(
    the_server_knows_the_lock_by_its_documented_name,
    two_databases_of_one_server_have_two_locks,
    a_holder_whose_host_vanished_frees_the_lock_and_a_silent_one_keeps_it,
    who_vanishes_while_the_lock_is_granted_does_not_keep_it,
    a_server_that_gives_no_lock_says_why,
    a_lock_that_the_server_does_not_know_is_refused,
    the_holder_is_told_with_what_it_does,
    a_lock_that_ends_with_a_transaction_is_refused,
);

/// No lock is waited for longer.
const DEADLINE: Duration = Duration::from_secs(120);

pub(crate) async fn connect(url: &str) -> Result<Unlocked, Failure> {
    Ok(Registry::default()
        .with(BACKEND)?
        .connect(&ConnectOptions::new(url)?)
        .await?)
}

pub(crate) async fn lock(session: Unlocked, key: &LockKey) -> Result<Locked, Failure> {
    match session.try_lock(key).await? {
        TryLock::Acquired(locked) => Ok(locked),
        TryLock::Busy(_) => Err("the lock is held".into()),
    }
}

/// Tries until the lock is free.
pub(crate) async fn lock_at_last(mut session: Unlocked, key: &LockKey) -> Result<Locked, Failure> {
    let begun = Instant::now();
    loop {
        session = match session.try_lock(key).await? {
            TryLock::Acquired(locked) => return Ok(locked),
            TryLock::Busy(session) => session,
        };
        if begun.elapsed() > DEADLINE {
            return Err("the lock did not become free".into());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn the_server_knows_the_lock_by_its_documented_name(place: &Place) -> Result<(), Failure> {
    let locked = lock(connect(&place.url()).await?, &LockKey::default()).await?;
    let seen = format!(
        "SELECT IS_USED_LOCK('lockage:4006:{}') IS NOT NULL",
        place.name()
    );
    assert_eq!(place.text(&seen).await?, "1");
    locked.release().await?.close().await?;
    assert_eq!(place.text(&seen).await?, "0");
    Ok(())
}

async fn two_databases_of_one_server_have_two_locks(place: &Place) -> Result<(), Failure> {
    let (key, server) = (LockKey::default(), place.url_of("lockage_other"));
    place
        .execute_at_the_server("CREATE DATABASE IF NOT EXISTS lockage_other")
        .await?;
    let here = lock(connect(&place.url()).await?, &key).await?;
    let there = lock(connect(&server).await?, &key).await?;
    there.release().await?;
    here.release().await?;
    Ok(())
}

async fn a_holder_whose_host_vanished_frees_the_lock_and_a_silent_one_keeps_it(
    place: &Place,
) -> Result<(), Failure> {
    let (vanishing, silent) = (LockKey::id(1), LockKey::id(2));
    let mut silent = lock(connect(&place.url()).await?, &silent).await?;
    let proxy = Proxy::start(place.host()).await?;
    let vanished = lock(connect(&place.url_at(&proxy.address())).await?, &vanishing).await?;
    let begun = Instant::now();
    proxy.go_silent();
    let taken = lock_at_last(connect(&place.url()).await?, &vanishing).await?;
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert!(
        took > Duration::from_secs(10),
        "the lock was free before the server could know, after {took:?}"
    );
    assert!(
        silent.holds().await?,
        "a live holder lost the lock by saying nothing"
    );
    taken.release().await?;
    silent.release().await?;
    drop(vanished);
    Ok(())
}

async fn a_lock_that_ends_with_a_transaction_is_refused(place: &Place) -> Result<(), Failure> {
    let mut options = ConnectOptions::new(place.url())?;
    options.lock_strategy = LockStrategy::Transaction;
    let error = BACKEND.connect(&options).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    Ok(())
}

async fn who_vanishes_while_the_lock_is_granted_does_not_keep_it(
    place: &Place,
) -> Result<(), Failure> {
    let proxy = Proxy::start(place.host()).await?;
    let vanishing = connect(&place.url_at(&proxy.address())).await?;
    proxy.go_silent_behind("GET_LOCK");
    let trying = tokio::spawn(async move { vanishing.try_lock(&LockKey::default()).await });
    let held = format!(
        "SELECT 1 FROM (SELECT IS_USED_LOCK('lockage:4006:{}') AS s) AS l WHERE s IS NOT NULL",
        place.name()
    );
    place.until(&held).await?;
    let begun = Instant::now();
    let taken = lock_at_last(connect(&place.url()).await?, &LockKey::default()).await?;
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
    if trying.is_finished() {
        return Err(format!("the line was not silent: {:?}", trying.await?).into());
    }
    trying.abort();
    taken.release().await?;
    Ok(())
}

/// What comes of a try where the server is asked something else than for a lock.
async fn try_with(place: &Place, for_it: &'static str) -> Result<Error, Failure> {
    let proxy = Proxy::start(place.host()).await?;
    proxy.swap("GET_LOCK(", for_it);
    let files = [("V1__a.sql", "CREATE TABLE a (n INT)")];
    let error = runner(&place.url_at(&proxy.address()), &files)?
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
    assert_eq!(place.texts("SHOW TABLES").await?, [""; 0]);
    Ok(error)
}

async fn a_server_that_gives_no_lock_says_why(place: &Place) -> Result<(), Failure> {
    // NULL, with a warning.
    let error = try_with(place, "NULLIF(  ").await?;
    assert!(error.message().contains("Truncated incorrect"), "{error}");
    // An error, as where a cluster forbids it.
    let error = try_with(place, "GETLOCK( ").await?;
    assert!(error.message().contains("does not exist"), "{error}");
    Ok(())
}

async fn a_lock_that_the_server_does_not_know_is_refused(place: &Place) -> Result<(), Failure> {
    // The answer is 1, and nothing is locked.
    let error = try_with(place, "STRCMP(  ").await?;
    assert!(
        error
            .message()
            .contains("does not know that this session holds it"),
        "{error}"
    );
    Ok(())
}

async fn the_holder_is_told_with_what_it_does(place: &Place) -> Result<(), Failure> {
    let closed = lock(connect(&place.url()).await?, &LockKey::id(9)).await?;
    let script = format!(
        "CREATE TABLE a (n INT); DO GET_LOCK('lockage:9:{}', 120)",
        place.name()
    );
    let files = [("V7__slow.sql", script.as_str())];
    let running = place.runner(&files)?;
    let running = tokio::spawn(async move { running.up().await });
    place
        .until(&format!(
            "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{}' AND INFO LIKE 'DO GET_LOCK%'",
            place.name()
        ))
        .await?;
    let mut session = connect(&place.url()).await?;
    let holder = session.holder(&LockKey::default()).await?;
    closed.release().await?;
    running.await??;
    let holder = holder.ok_or("nobody")?;
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
    let holder = connect(&place.url())
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
