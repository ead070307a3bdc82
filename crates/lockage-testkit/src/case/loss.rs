//! A lock, or a session, that gets lost on the server side while the client believes in it.

use lockage_core::{ErrorKind, LockKey, NoObserver};

use super::{fails, long};
use crate::Failure;
use crate::scene::Scene;

cases!("loss":
    a_lock_taken_away_is_noticed_before_the_next_write [TakeAwayLock],
    a_lock_given_up_by_a_script_stops_the_run [GiveUpLock],
    a_lock_given_up_by_the_last_script_is_no_success [GiveUpLock],
    a_session_ended_between_steps_writes_nothing [EndSession],
    a_session_ended_mid_migration_leaves_it_to_the_next_run [EndSession, Gate],
);

/// How a session that was ended may show.
const ENDED: &[ErrorKind] = &[ErrorKind::SessionLost, ErrorKind::LockLost];

async fn a_lock_taken_away_is_noticed_before_the_next_write(scene: &Scene) -> Result<(), Failure> {
    let key = LockKey::default();
    let set = scene.set(&[("V1__a.sql", &[scene.create("seen")])])?;
    let mut locked = scene.locked(&key).await?;
    let steps = scene.steps(&mut locked, &set).await?;

    scene
        .within(
            "taking the lock away",
            scene.fixture().take_away_lock(scene.url(), &key),
        )
        .await?;
    ensure!(
        !scene.within("holds()", locked.holds()).await?,
        "the session is told that it holds a lock that was taken away"
    );
    let done = scene
        .in_time("apply()", locked.apply(&steps[0], &NoObserver))
        .await?;
    fails("a step without the lock", done, &[ErrorKind::LockLost])?;
    ensure_eq!(
        scene.rows("seen").await?,
        None,
        "what a step without the lock wrote"
    );
    ensure_eq!(
        scene.applied().await?,
        [""; 0],
        "versions applied without the lock"
    );
    let done = scene.in_time("release()", locked.release()).await?;
    fails("the release of a lost lock", done, &[ErrorKind::LockLost])?;
    Ok(())
}

async fn a_lock_given_up_by_a_script_stops_the_run(scene: &Scene) -> Result<(), Failure> {
    let key = LockKey::default();
    let give_up = [scene.put("seen", 1), scene.fixture().give_up_lock(&key)?];
    let set = scene.set(&[
        ("V1__create.sql", &[scene.create("seen")]),
        ("V2__give_up.sql", &give_up),
        ("V3__after.sql", &[scene.put("seen", 2)]),
    ])?;
    let done = scene
        .in_time("a run that loses the lock", scene.runner(&set)?.up())
        .await?;
    fails("a run that lost the lock", done, &[ErrorKind::LockLost])?;
    let rows = scene.rows("seen").await?.unwrap_or_default();
    ensure!(
        !rows.contains(&2),
        "a migration ran after the lock was lost"
    );
    let applied = scene.applied().await?;
    ensure!(
        !applied.contains(&"3".to_owned()),
        "a version is recorded that did not run"
    );
    if scene.suite().backend.capabilities().transactional_ddl {
        ensure_eq!(
            rows.contains(&1),
            applied.contains(&"2".to_owned()),
            "whether script and history agree on version 2"
        );
    }
    let next = scene
        .locked_soon("the lock that was given up", &key)
        .await?;
    scene.leave(next).await
}

async fn a_lock_given_up_by_the_last_script_is_no_success(scene: &Scene) -> Result<(), Failure> {
    let give_up = [
        scene.create("seen"),
        scene.fixture().give_up_lock(&LockKey::default())?,
    ];
    let set = scene.set(&[("V1__give_up.sql", &give_up)])?;
    let done = scene
        .in_time("a run that loses the lock", scene.runner(&set)?.up())
        .await?;
    fails("a run that lost the lock", done, &[ErrorKind::LockLost])?;
    Ok(())
}

async fn a_session_ended_between_steps_writes_nothing(scene: &Scene) -> Result<(), Failure> {
    let key = LockKey::default();
    let set = scene.set(&[("V1__a.sql", &[scene.create("seen")])])?;
    let mut locked = scene.locked(&key).await?;
    let steps = scene.steps(&mut locked, &set).await?;

    end_holder(scene, &key).await?;
    let next = scene
        .locked_soon("the lock of a session that was ended", &key)
        .await?;
    let done = scene
        .in_time("apply()", locked.apply(&steps[0], &NoObserver))
        .await?;
    fails("a step in a session that was ended", done, ENDED)?;
    ensure_eq!(
        scene.rows("seen").await?,
        None,
        "what the ended session wrote"
    );
    ensure_eq!(
        scene.applied().await?,
        [""; 0],
        "versions applied by the ended session"
    );
    scene.leave(next).await
}

async fn a_session_ended_mid_migration_leaves_it_to_the_next_run(
    scene: &Scene,
) -> Result<(), Failure> {
    let set = long::set(scene)?;
    let gate = scene.closed_gate().await?;
    let runner = scene.patient_runner(&set)?;
    let running = scene.run_to(&*gate, runner).await?;

    end_holder(scene, &LockKey::default()).await?;
    let done = scene
        .in_time("the run whose session was ended", running)
        .await??;
    fails("a run whose session was ended", done, ENDED)?;
    scene.within("opening the gate", gate.open()).await?;
    long::completes(scene).await
}

async fn end_holder(scene: &Scene, key: &LockKey) -> Result<(), Failure> {
    let mut watcher = scene.connect().await?;
    let Some(holder) = scene.within("holder()", watcher.holder(key)).await? else {
        return Err("the holder of a held lock is None".into());
    };
    scene.within("closing a session", watcher.close()).await?;
    scene
        .within(
            "ending the session",
            scene.fixture().end_session(scene.url(), &holder),
        )
        .await
}
