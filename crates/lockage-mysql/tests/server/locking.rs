//! The lock as the server sees it.

use std::time::Duration;

use lockage_mysql::BACKEND;
use lockage_mysql::lockage_core::{
    Attempt, ConnectOptions, ErrorKind, LockKey, LockStrategy, Locked, Registry, Unlocked,
};
use lockage_testkit::Failure;

use crate::place::Place;
use crate::proxy::Proxy;

crate::tests!(
    the_server_knows_the_lock_by_its_documented_name,
    two_databases_of_one_server_have_two_locks,
    a_holder_whose_host_vanished_frees_the_lock_and_a_silent_one_keeps_it,
    a_lock_that_ends_with_a_transaction_is_refused,
);

pub(crate) async fn connect(url: &str) -> Result<Unlocked, Failure> {
    Ok(Registry::default()
        .with(BACKEND)?
        .connect(&ConnectOptions::new(url)?)
        .await?)
}

pub(crate) async fn lock(session: Unlocked, key: &LockKey) -> Result<Locked, Failure> {
    match session.try_lock(key).await? {
        Attempt::Locked(locked) => Ok(locked),
        Attempt::Busy(_) => Err("the lock is held".into()),
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
    let begun = std::time::Instant::now();
    proxy.go_silent();
    let mut next = Some(connect(&place.url()).await?);
    let taken = loop {
        let Some(session) = next.take() else {
            return Err("no session".into());
        };
        match session.try_lock(&vanishing).await? {
            Attempt::Locked(locked) => break locked,
            Attempt::Busy(busy) => next = Some(busy),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
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
