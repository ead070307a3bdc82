//! One session at a time, and the ways in which a lock gets free.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lockage_core::{TryLock, ErrorKind, LockKey};

use super::fails;
use crate::Failure;
use crate::scene::Scene;

cases!("lock":
    exclusive_while_held_and_free_after_release,
    repeated_acquire_does_not_stack,
    unlock_of_what_is_not_held_is_lock_lost,
    holds_tells_what_is_so,
    a_dropped_session_frees_the_lock,
    a_closed_session_frees_the_lock,
    close_is_clean,
    many_tasks_hold_it_one_at_a_time,
);

async fn exclusive_while_held_and_free_after_release(scene: &Scene) -> Result<(), Failure> {
    let key = LockKey::default();
    let mut first = scene.locked(&key).await?;
    ensure!(
        scene.within("holds()", first.holds()).await?,
        "the holder is told that it does not hold the lock"
    );
    let mut waiter = scene.refused(&key).await?;
    for _ in 0..3 {
        waiter = scene.refuse(waiter, &key).await?;
    }
    ensure!(
        scene.within("holds()", first.holds()).await?,
        "the tries of others took the lock from its holder"
    );
    let first = scene
        .within("giving the lock back", first.release())
        .await?;
    let second = scene.lock_with(waiter, &key).await?;
    let first = scene.refuse(first, &key).await?;
    scene.leave(second).await?;
    let first = scene.lock_with(first, &key).await?;
    scene.leave(first).await
}

async fn repeated_acquire_does_not_stack(scene: &Scene) -> Result<(), Failure> {
    let key = LockKey::default();
    let mut first = scene.locked(&key).await?;
    for _ in 0..3 {
        ensure!(
            scene
                .within("taking the lock again", first.try_lock_again())
                .await?,
            "the holder was refused its own lock"
        );
    }
    let first = scene
        .within("giving the lock back", first.release())
        .await?;
    let second = scene.locked(&key).await.map_err(|failure| {
        format!("after three repeated tries and one release, which must free the lock: {failure}")
    })?;
    scene.leave(second).await?;
    scene.within("closing a session", first.close()).await
}

async fn unlock_of_what_is_not_held_is_lock_lost(scene: &Scene) -> Result<(), Failure> {
    let key = LockKey::default();
    let mut session = scene.bare().await?;
    let never = scene.in_time("unlock()", session.unlock(&key)).await?;
    fails(
        "an unlock of a lock that was never taken",
        never,
        &[ErrorKind::LockLost],
    )?;

    let mut session = scene.bare().await?;
    ensure!(
        scene.within("try_lock()", session.try_lock(&key)).await?,
        "the lock is free, but a session did not get it"
    );
    scene
        .within("the first unlock()", session.unlock(&key))
        .await?;
    let again = scene.in_time("unlock()", session.unlock(&key)).await?;
    fails("a second unlock", again, &[ErrorKind::LockLost])?;

    let mut holder = scene.locked(&key).await?;
    let mut thief = scene.bare().await?;
    let foreign = scene.in_time("unlock()", thief.unlock(&key)).await?;
    fails(
        "an unlock of a lock that another session holds",
        foreign,
        &[ErrorKind::LockLost],
    )?;
    ensure!(
        scene.within("holds()", holder.holds()).await?,
        "a session that did not hold the lock freed it for the one that did"
    );
    scene.leave(holder).await
}

async fn holds_tells_what_is_so(scene: &Scene) -> Result<(), Failure> {
    let key = LockKey::default();
    let mut session = scene.bare().await?;
    ensure!(
        !scene.within("holds()", session.holds(&key)).await?,
        "a new session is told that it holds the lock"
    );
    let other = scene.locked(&key).await?;
    ensure!(
        !scene.within("holds()", session.holds(&key)).await?,
        "a session is told that it holds a lock that another one holds"
    );
    scene.leave(other).await?;
    ensure!(
        scene.within("try_lock()", session.try_lock(&key)).await?,
        "the lock is free, but a session did not get it"
    );
    ensure!(
        scene.within("holds()", session.holds(&key)).await?,
        "the holder is told that it does not hold the lock"
    );
    ensure!(
        !scene
            .within("holds()", session.holds(&LockKey::id(7)))
            .await?,
        "the holder of one lock is told that it holds another"
    );
    scene.within("unlock()", session.unlock(&key)).await?;
    ensure!(
        !scene.within("holds()", session.holds(&key)).await?,
        "a session that gave the lock back is told that it holds it"
    );
    scene.within("closing a session", session.close()).await
}

async fn a_dropped_session_frees_the_lock(scene: &Scene) -> Result<(), Failure> {
    let key = LockKey::default();
    drop(scene.locked(&key).await?);
    let next = scene
        .locked_soon("the lock of a session that was dropped", &key)
        .await?;
    scene.leave(next).await
}

async fn a_closed_session_frees_the_lock(scene: &Scene) -> Result<(), Failure> {
    let key = LockKey::default();
    let mut session = scene.bare().await?;
    ensure!(
        scene.within("try_lock()", session.try_lock(&key)).await?,
        "the lock is free, but a session did not get it"
    );
    scene.within("closing a session", session.close()).await?;
    let next = scene
        .locked_soon("the lock of a session that was closed", &key)
        .await?;
    scene.leave(next).await
}

async fn close_is_clean(scene: &Scene) -> Result<(), Failure> {
    let before = scene.tables().await?;
    for _ in 0..5 {
        let session = scene.connect().await?;
        scene
            .within("closing a session that did nothing", session.close())
            .await?;
        let locked = scene.locked(&LockKey::default()).await?;
        scene.leave(locked).await?;
    }
    ensure_eq!(
        scene.tables().await?,
        before,
        "tables after sessions that wrote nothing"
    );
    Ok(())
}

async fn many_tasks_hold_it_one_at_a_time(scene: &Scene) -> Result<(), Failure> {
    let key = LockKey::default();
    let holders = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..scene.suite().replicas {
        let mut session = Some(scene.connect().await?);
        let (key, holders) = (key.clone(), Arc::clone(&holders));
        tasks.spawn(async move {
            while let Some(waiting) = session.take() {
                let mut locked = match waiting.try_lock(&key).await? {
                    TryLock::Acquired(locked) => locked,
                    TryLock::Busy(busy) => {
                        session = Some(busy);
                        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                        continue;
                    }
                };
                let others = holders.fetch_add(1, Ordering::SeqCst);
                ensure_eq!(others, 0, "others that hold the lock at the same time");
                let still = locked.holds().await?;
                tokio::task::yield_now().await;
                holders.fetch_sub(1, Ordering::SeqCst);
                ensure!(still, "the lock got lost");
                locked.release().await?.close().await?;
            }
            Ok::<(), Failure>(())
        });
    }
    while let Some(done) = scene
        .in_time("every task to have had the lock", tasks.join_next())
        .await?
    {
        done??;
    }
    Ok(())
}
