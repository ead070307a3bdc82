//! Exclusion between sessions, and the ways to release a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lockage_core::{ErrorKind, LockKey, TryLock};

use super::expect::expect_error;
use crate::TestError;
use crate::case_context::CaseContext;

cases!("lock":
    exclusive_while_held_and_free_after_release,
    repeated_acquire_needs_one_release,
    unlock_without_lock_returns_lock_lost,
    holds_reports_only_own_lock,
    dropped_session_releases_lock,
    closed_session_releases_lock,
    close_leaves_no_tables,
    concurrent_tasks_never_share_lock,
);

async fn exclusive_while_held_and_free_after_release(
    context: &CaseContext,
) -> Result<(), TestError> {
    let key = LockKey::default();
    let mut first = context.lock(&key).await?;
    ensure!(
        context.with_timeout_ok("holds()", first.holds()).await?,
        "holds() is false for the holder"
    );
    let mut waiter = context.expect_busy(&key).await?;
    for _ in 0..3 {
        waiter = context.expect_busy_session(waiter, &key).await?;
    }
    ensure!(
        context.with_timeout_ok("holds()", first.holds()).await?,
        "failed tries of other sessions released the lock"
    );
    let first = context
        .with_timeout_ok("releasing the lock", first.release())
        .await?;
    let second = context.lock_session(waiter, &key).await?;
    let first = context.expect_busy_session(first, &key).await?;
    context.unlock(second).await?;
    let first = context.lock_session(first, &key).await?;
    context.unlock(first).await
}

async fn repeated_acquire_needs_one_release(context: &CaseContext) -> Result<(), TestError> {
    let key = LockKey::default();
    let mut first = context.raw_session().await?;
    for _ in 0..4 {
        ensure!(
            context
                .with_timeout_ok("acquiring the lock", first.try_lock(&key))
                .await?,
            "the holder could not acquire its own lock again"
        );
    }
    context
        .with_timeout_ok("releasing the lock", first.unlock(&key))
        .await?;
    let second = context.lock(&key).await.map_err(|error| {
        format!("after four tries and one release, which must free the lock: {error}")
    })?;
    context.unlock(second).await?;
    context
        .with_timeout_ok("closing a session", first.close())
        .await
}

async fn unlock_without_lock_returns_lock_lost(context: &CaseContext) -> Result<(), TestError> {
    let key = LockKey::default();
    let mut session = context.raw_session().await?;
    let never = context
        .with_timeout("unlock()", session.unlock(&key))
        .await?;
    expect_error(
        "unlock() of a lock that was never acquired",
        never,
        &[ErrorKind::LockLost],
    )?;

    let mut session = context.raw_session().await?;
    ensure!(
        context
            .with_timeout_ok("try_lock()", session.try_lock(&key))
            .await?,
        "the lock is free, but a session could not acquire it"
    );
    context
        .with_timeout_ok("the first unlock()", session.unlock(&key))
        .await?;
    let again = context
        .with_timeout("unlock()", session.unlock(&key))
        .await?;
    expect_error("a second unlock()", again, &[ErrorKind::LockLost])?;

    let mut holder = context.lock(&key).await?;
    let mut other = context.raw_session().await?;
    let foreign = context.with_timeout("unlock()", other.unlock(&key)).await?;
    expect_error(
        "unlock() of a lock that another session holds",
        foreign,
        &[ErrorKind::LockLost],
    )?;
    ensure!(
        context.with_timeout_ok("holds()", holder.holds()).await?,
        "unlock() in a session without the lock released it"
    );
    context.unlock(holder).await
}

async fn holds_reports_only_own_lock(context: &CaseContext) -> Result<(), TestError> {
    let key = LockKey::default();
    let mut session = context.raw_session().await?;
    ensure!(
        !context
            .with_timeout_ok("holds()", session.holds(&key))
            .await?,
        "holds() is true in a new session"
    );
    let other = context.lock(&key).await?;
    ensure!(
        !context
            .with_timeout_ok("holds()", session.holds(&key))
            .await?,
        "holds() is true for a lock that another session holds"
    );
    context.unlock(other).await?;
    ensure!(
        context
            .with_timeout_ok("try_lock()", session.try_lock(&key))
            .await?,
        "the lock is free, but a session could not acquire it"
    );
    ensure!(
        context
            .with_timeout_ok("holds()", session.holds(&key))
            .await?,
        "holds() is false for the holder"
    );
    ensure!(
        !context
            .with_timeout_ok("holds()", session.holds(&LockKey::id(7)))
            .await?,
        "holds() is true for a lock that was never acquired"
    );
    context
        .with_timeout_ok("unlock()", session.unlock(&key))
        .await?;
    ensure!(
        !context
            .with_timeout_ok("holds()", session.holds(&key))
            .await?,
        "holds() is true after the release"
    );
    context
        .with_timeout_ok("closing a session", session.close())
        .await
}

async fn dropped_session_releases_lock(context: &CaseContext) -> Result<(), TestError> {
    let key = LockKey::default();
    drop(context.lock(&key).await?);
    let next = context
        .wait_for_lock("the lock of a dropped session", &key)
        .await?;
    context.unlock(next).await
}

async fn closed_session_releases_lock(context: &CaseContext) -> Result<(), TestError> {
    let key = LockKey::default();
    let mut session = context.raw_session().await?;
    ensure!(
        context
            .with_timeout_ok("try_lock()", session.try_lock(&key))
            .await?,
        "the lock is free, but a session could not acquire it"
    );
    context
        .with_timeout_ok("closing a session", session.close())
        .await?;
    let next = context
        .wait_for_lock("the lock of a closed session", &key)
        .await?;
    context.unlock(next).await
}

async fn close_leaves_no_tables(context: &CaseContext) -> Result<(), TestError> {
    let before = context.tables().await?;
    for _ in 0..5 {
        let session = context.connect().await?;
        context
            .with_timeout_ok("closing an unused session", session.close())
            .await?;
        let locked = context.lock(&LockKey::default()).await?;
        context.unlock(locked).await?;
    }
    ensure_eq!(
        context.tables().await?,
        before,
        "tables after sessions without writes"
    );
    Ok(())
}

async fn concurrent_tasks_never_share_lock(context: &CaseContext) -> Result<(), TestError> {
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
                ensure_eq!(others, 0, "other holders at the same time");
                let still = locked.holds().await?;
                tokio::task::yield_now().await;
                holders.fetch_sub(1, Ordering::SeqCst);
                ensure!(still, "the lock was lost");
                locked.release().await?.close().await?;
            }
            Ok::<(), TestError>(())
        });
    }
    while let Some(done) = context
        .with_timeout("all tasks to acquire the lock", tasks.join_next())
        .await?
    {
        done??;
    }
    Ok(())
}
