//! Which keys are the same lock, and which are not.

use lockage_core::LockKey;

use crate::TestError;
use crate::case_context::CaseContext;

cases!("key":
    two_ids_are_independent,
    a_name_is_no_id,
    names_count_to_the_last_character,
);

/// Holds each key while all others are taken and given back by other sessions; then two sessions contend for each, so that keys
/// which nobody ever gets are found out too.
async fn independent(context: &CaseContext, keys: &[LockKey]) -> Result<(), TestError> {
    let mut held = Vec::new();
    for key in keys {
        let locked = context.lock(key).await.map_err(|failure| {
            format!("the lock `{key}` is to be independent of those held already: {failure}")
        })?;
        held.push(locked);
    }
    for (key, mut locked) in keys.iter().zip(held) {
        context
            .with_timeout_ok("closing a session", context.expect_busy(key).await?.close())
            .await?;
        ensure!(
            context.with_timeout_ok("holds()", locked.holds()).await?,
            "the lock `{key}` got lost while others were taken"
        );
        context.unlock(locked).await?;
    }
    Ok(())
}

async fn two_ids_are_independent(context: &CaseContext) -> Result<(), TestError> {
    let ids = [0, 1, 2, -1, i64::MAX, i64::MIN, 1 << 32, (1 << 32) + 1];
    let keys: Vec<_> = ids.into_iter().map(LockKey::id).collect();
    independent(context, &keys).await
}

async fn a_name_is_no_id(context: &CaseContext) -> Result<(), TestError> {
    let keys = [
        LockKey::id(4006),
        LockKey::named("command")?,
        LockKey::named("4006")?,
    ];
    independent(context, &keys).await
}

async fn names_count_to_the_last_character(context: &CaseContext) -> Result<(), TestError> {
    let long = "x".repeat(LockKey::MAX_NAME - 1);
    let keys = [
        LockKey::named("command")?,
        LockKey::named("ChildCommand")?,
        LockKey::named("command ")?,
        LockKey::named("schäfer's \"50 %\" \\ lock; --")?,
        LockKey::named(format!("{long}a"))?,
        LockKey::named(format!("{long}b"))?,
    ];
    independent(context, &keys).await
}
