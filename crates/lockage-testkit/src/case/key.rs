//! Different keys are different locks.

use lockage_core::LockKey;

use crate::TestError;
use crate::case_context::CaseContext;

cases!("key":
    ids_are_independent,
    names_and_ids_are_independent,
    similar_names_are_independent,
);

/// Acquires all keys, each in its own session. Then checks that each lock is busy for another session, which detects keys whose lock
/// always succeeds, and releases it.
async fn expect_independent(context: &CaseContext, keys: &[LockKey]) -> Result<(), TestError> {
    let mut held = Vec::new();
    for key in keys {
        let locked = context.lock(key).await.map_err(|error| {
            format!("the lock `{key}` must be independent of the held locks: {error}")
        })?;
        held.push(locked);
    }
    for (key, mut locked) in keys.iter().zip(held) {
        context
            .with_timeout_ok("closing a session", context.expect_busy(key).await?.close())
            .await?;
        ensure!(
            context.with_timeout_ok("holds()", locked.holds()).await?,
            "the lock `{key}` was lost while other locks were acquired"
        );
        context.unlock(locked).await?;
    }
    Ok(())
}

async fn ids_are_independent(context: &CaseContext) -> Result<(), TestError> {
    let ids = [0, 1, 2, -1, i64::MAX, i64::MIN, 1 << 32, (1 << 32) + 1];
    let keys: Vec<_> = ids.into_iter().map(LockKey::id).collect();
    expect_independent(context, &keys).await
}

async fn names_and_ids_are_independent(context: &CaseContext) -> Result<(), TestError> {
    let keys = [
        LockKey::id(4006),
        LockKey::named("orders")?,
        LockKey::named("4006")?,
    ];
    expect_independent(context, &keys).await
}

async fn similar_names_are_independent(context: &CaseContext) -> Result<(), TestError> {
    let long = "x".repeat(LockKey::MAX_NAME - 1);
    let keys = [
        LockKey::named("orders")?,
        LockKey::named("Orders")?,
        LockKey::named("orders ")?,
        LockKey::named("schäfer's \"50 %\" \\ lock; --")?,
        LockKey::named(format!("{long}a"))?,
        LockKey::named(format!("{long}b"))?,
    ];
    expect_independent(context, &keys).await
}
