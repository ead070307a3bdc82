//! One session at a time, and the ways in which a lock gets free.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lockage_core::{ErrorKind, LockKey, TryLock};

use super::fails;
use crate::TestError;
use crate::case_context::CaseContext;

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

async fn exclusive_while_held_and_free_after_release(
    context: &CaseContext,
) -> Result<(), TestError> {
    let key = LockKey::default();
    let mut first = context.lock(&key).await?;
    ensure!(
        context.with_timeout_ok("holds()", first.holds()).await?,
        "the holder is told that it does not hold the lock"
    );
    let mut waiter = context.expect_busy(&key).await?;
    for _ in 0..3 {
        waiter = context.expect_busy_session(waiter, &key).await?;
    }
    ensure!(
        context.with_timeout_ok("holds()", first.holds()).await?,
        "the tries of others took the lock from its holder"
    );
    let first = context
        .with_timeout_ok("giving the lock back", first.release())
        .await?;
    let second = context.lock_session(waiter, &key).await?;
    let first = context.expect_busy_session(first, &key).await?;
    context.unlock(second).await?;
    let first = context.lock_session(first, &key).await?;
    context.unlock(first).await
}

async fn repeated_acquire_does_not_stack(context: &CaseContext) -> Result<(), TestError> {
    let key = LockKey::default();
    let mut first = context.raw_session().await?;
    for _ in 0..4 {
        ensure!(
            context
                .with_timeout_ok("acquiring the lock", first.try_lock(&key))
                .await?,
            "the holder was refused its own lock"
        );
    }
    context
        .with_timeout_ok("releasing the lock", first.unlock(&key))
        .await?;
    let second = context.lock(&key).await.map_err(|failure| {
        format!("after four tries and one release, which must free the lock: {failure}")
    })?;
    context.unlock(second).await?;
    context
        .with_timeout_ok("closing a session", first.close())
        .await
}

async fn unlock_of_what_is_not_held_is_lock_lost(context: &CaseContext) -> Result<(), TestError> {
    let key = LockKey::default();
    let mut session = context.raw_session().await?;
    let never = context
        .with_timeout("unlock()", session.unlock(&key))
        .await?;
    fails(
        "an unlock of a lock that was never taken",
        never,
        &[ErrorKind::LockLost],
    )?;

    let mut session = context.raw_session().await?;
    ensure!(
        context
            .with_timeout_ok("try_lock()", session.try_lock(&key))
            .await?,
        "the lock is free, but a session did not get it"
    );
    context
        .with_timeout_ok("the first unlock()", session.unlock(&key))
        .await?;
    let again = context
        .with_timeout("unlock()", session.unlock(&key))
        .await?;
    fails("a second unlock", again, &[ErrorKind::LockLost])?;

    let mut holder = context.lock(&key).await?;
    let mut thief = context.raw_session().await?;
    let foreign = context.with_timeout("unlock()", thief.unlock(&key)).await?;
    fails(
        "an unlock of a lock that another session holds",
        foreign,
        &[ErrorKind::LockLost],
    )?;
    ensure!(
        context.with_timeout_ok("holds()", holder.holds()).await?,
        "a session that did not hold the lock freed it for the one that did"
    );
    context.unlock(holder).await
}

async fn holds_tells_what_is_so(context: &CaseContext) -> Result<(), TestError> {
    let key = LockKey::default();
    let mut session = context.raw_session().await?;
    ensure!(
        !context
            .with_timeout_ok("holds()", session.holds(&key))
            .await?,
        "a new session is told that it holds the lock"
    );
    let other = context.lock(&key).await?;
    ensure!(
        !context
            .with_timeout_ok("holds()", session.holds(&key))
            .await?,
        "a session is told that it holds a lock that another one holds"
    );
    context.unlock(other).await?;
    ensure!(
        context
            .with_timeout_ok("try_lock()", session.try_lock(&key))
            .await?,
        "the lock is free, but a session did not get it"
    );
    ensure!(
        context
            .with_timeout_ok("holds()", session.holds(&key))
            .await?,
        "the holder is told that it does not hold the lock"
    );
    ensure!(
        !context
            .with_timeout_ok("holds()", session.holds(&LockKey::id(7)))
            .await?,
        "the holder of one lock is told that it holds another"
    );
    context
        .with_timeout_ok("unlock()", session.unlock(&key))
        .await?;
    ensure!(
        !context
            .with_timeout_ok("holds()", session.holds(&key))
            .await?,
        "a session that gave the lock back is told that it holds it"
    );
    context
        .with_timeout_ok("closing a session", session.close())
        .await
}

async fn a_dropped_session_frees_the_lock(context: &CaseContext) -> Result<(), TestError> {
    let key = LockKey::default();
    drop(context.lock(&key).await?);
    let next = context
        .wait_for_lock("the lock of a session that was dropped", &key)
        .await?;
    context.unlock(next).await
}

async fn a_closed_session_frees_the_lock(context: &CaseContext) -> Result<(), TestError> {
    let key = LockKey::default();
    let mut session = context.raw_session().await?;
    ensure!(
        context
            .with_timeout_ok("try_lock()", session.try_lock(&key))
            .await?,
        "the lock is free, but a session did not get it"
    );
    context
        .with_timeout_ok("closing a session", session.close())
        .await?;
    let next = context
        .wait_for_lock("the lock of a session that was closed", &key)
        .await?;
    context.unlock(next).await
}

async fn close_is_clean(context: &CaseContext) -> Result<(), TestError> {
    let before = context.tables().await?;
    for _ in 0..5 {
        let session = context.connect().await?;
        context
            .with_timeout_ok("closing a session that did nothing", session.close())
            .await?;
        let locked = context.lock(&LockKey::default()).await?;
        context.unlock(locked).await?;
    }
    ensure_eq!(
        context.tables().await?,
        before,
        "tables after sessions that wrote nothing"
    );
    Ok(())
}

async fn many_tasks_hold_it_one_at_a_time(context: &CaseContext) -> Result<(), TestError> {
    let key = LockKey::default();
    let holders = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..context.suite().processes {
        let mut session = Some(context.connect().await?);
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
            Ok::<(), TestError>(())
        });
    }
    while let Some(done) = context
        .with_timeout("every task to have had the lock", tasks.join_next())
        .await?
    {
        done??;
    }
    Ok(())
}
