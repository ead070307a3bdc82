//! Which keys are the same lock, and which are not.

use lockage_core::LockKey;

use crate::Failure;
use crate::scene::Scene;

cases!("key":
    two_ids_are_independent,
    a_name_is_no_id,
    names_count_to_the_last_character,
);

/// Holds each key while all others are taken and given back by other sessions; then two sessions contend for each, so that keys
/// which nobody ever gets are found out too.
async fn independent(scene: &Scene, keys: &[LockKey]) -> Result<(), Failure> {
    let mut held = Vec::new();
    for key in keys {
        let locked = scene.locked(key).await.map_err(|failure| {
            format!("the lock `{key}` is to be independent of those held already: {failure}")
        })?;
        held.push(locked);
    }
    for (key, mut locked) in keys.iter().zip(held) {
        scene
            .within("closing a session", scene.refused(key).await?.close())
            .await?;
        ensure!(
            scene.within("holds()", locked.holds()).await?,
            "the lock `{key}` got lost while others were taken"
        );
        scene.leave(locked).await?;
    }
    Ok(())
}

async fn two_ids_are_independent(scene: &Scene) -> Result<(), Failure> {
    let ids = [0, 1, 2, -1, i64::MAX, i64::MIN, 1 << 32, (1 << 32) + 1];
    let keys: Vec<_> = ids.into_iter().map(LockKey::id).collect();
    independent(scene, &keys).await
}

async fn a_name_is_no_id(scene: &Scene) -> Result<(), Failure> {
    let keys = [
        LockKey::id(4006),
        LockKey::named("orders")?,
        LockKey::named("4006")?,
    ];
    independent(scene, &keys).await
}

async fn names_count_to_the_last_character(scene: &Scene) -> Result<(), Failure> {
    let long = "x".repeat(LockKey::MAX_NAME - 1);
    let keys = [
        LockKey::named("orders")?,
        LockKey::named("Orders")?,
        LockKey::named("orders ")?,
        LockKey::named("schäfer's \"50 %\" \\ lock; --")?,
        LockKey::named(format!("{long}a"))?,
        LockKey::named(format!("{long}b"))?,
    ];
    independent(scene, &keys).await
}
