//! Who holds the lock, and what a waiter is told.

use std::time::Duration;

use lockage_core::{Error, ErrorKind, LockHolder, LockKey, LockWait};

use super::fails;
use crate::Failure;
use crate::scene::Scene;

cases!("holder":
    told_while_held_and_none_when_free,
    a_waiter_without_patience_is_told_whom_it_waits_for,
    a_migration_longer_than_the_patience_is_a_timeout_not_an_unlocked_run [Gate],
);

async fn told_while_held_and_none_when_free(scene: &Scene) -> Result<(), Failure> {
    let key = LockKey::default();
    let mut watcher = scene.connect().await?;
    let holder = scene.within("holder()", watcher.holder(&key)).await?;
    ensure_eq!(holder, None, "the holder of a lock that nobody took");
    let locked = scene.locked(&key).await?;
    let holder = scene.within("holder()", watcher.holder(&key)).await?;
    ensure!(
        holder.as_ref().is_some_and(tells_something),
        "a held lock has the holder {holder:?}"
    );
    let other = scene
        .within("holder()", watcher.holder(&LockKey::id(7)))
        .await?;
    ensure_eq!(other, None, "the holder of another lock that nobody took");
    scene.leave(locked).await?;
    let holder = scene.within("holder()", watcher.holder(&key)).await?;
    ensure_eq!(holder, None, "the holder of a lock that was given back");
    ensure!(
        scene.tables().await?.is_empty(),
        "asking for the holder made a table"
    );
    scene.within("closing a session", watcher.close()).await
}

/// Enough to find the holder by.
fn tells_something(holder: &LockHolder) -> bool {
    holder.session.is_some() || holder.host.is_some() || holder.application.is_some()
}

async fn a_waiter_without_patience_is_told_whom_it_waits_for(scene: &Scene) -> Result<(), Failure> {
    let set = scene.set(&[("V1__a.sql", &[scene.create("seen")])])?;
    let locked = scene.locked(&LockKey::default()).await?;
    for wait in [LockWait::Never, LockWait::For(Duration::from_millis(200))] {
        let done = scene
            .in_time(
                "a run that waits in vain",
                scene.runner(&set)?.wait(wait).up(),
            )
            .await?;
        is_timeout(scene, done.map(|_| ())).await?;
    }
    ensure!(
        scene.tables().await?.is_empty(),
        "a run without the lock made a table"
    );
    scene.leave(locked).await
}

async fn a_migration_longer_than_the_patience_is_a_timeout_not_an_unlocked_run(
    scene: &Scene,
) -> Result<(), Failure> {
    let create = [scene.create("seen"), scene.put("seen", 1)];
    let long = [scene.put("seen", 2), scene.fixture().gate("gate")?];
    let set = scene.set(&[("V1__create.sql", &create), ("V2__long.sql", &long)])?;
    let gate = scene.closed_gate().await?;
    let holder = scene.patient_runner(&set)?;
    let running = scene.run_to(&*gate, holder).await?;

    let hasty = scene
        .runner(&set)?
        .wait(LockWait::For(Duration::from_millis(200)));
    let done = scene
        .in_time("a run that waits in vain", hasty.up())
        .await?;
    is_timeout(scene, done.map(|_| ())).await?;
    running.abort();
    let _ = running.await;

    scene.within("opening the gate", gate.open()).await?;
    scene
        .within("the next run", scene.runner(&set)?.up())
        .await?;
    ensure_eq!(scene.rows("seen").await?, Some(vec![1, 2]), "the witness");
    Ok(())
}

/// A timeout that names the holder and the setting that raises it.
async fn is_timeout(scene: &Scene, done: Result<(), Error>) -> Result<(), Failure> {
    let error = fails(
        "a run while another session holds the lock",
        done,
        &[ErrorKind::LockTimeout],
    )?;
    let mut watcher = scene.connect().await?;
    let holder = scene
        .within("holder()", watcher.holder(&LockKey::default()))
        .await?;
    scene.within("closing a session", watcher.close()).await?;
    let Some(holder) = holder else {
        return Err("the holder of a held lock is None".into());
    };
    for word in [&holder.session, &holder.host, &holder.application]
        .into_iter()
        .flatten()
    {
        if error.message().contains(word.as_str()) {
            ensure!(
                error.hint().is_some_and(|hint| hint.contains("--wait")),
                "the timeout does not name the setting: {error:?}"
            );
            return Ok(());
        }
    }
    Err(format!("the timeout does not name the holder, {holder:?}: {error}").into())
}
