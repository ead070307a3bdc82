//! Replicas as tasks of one program.

use std::sync::Arc;

use lockage_core::{
    ErrorKind, Event, LockKey, MigrationSet, NoObserver, Observer, Outcome, Report,
    Result as CoreResult,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::fails;
use crate::Failure;
use crate::scene::Scene;
use crate::sole_holder::SoleHolder;

cases!("race":
    a_second_run_writes_nothing_and_takes_no_lock,
    waiters_leave_as_soon_as_another_has_finished,
    a_first_run_of_many_applies_each_migration_once,
    a_failing_migration_fails_for_all,
);

async fn a_second_run_writes_nothing_and_takes_no_lock(scene: &Scene) -> Result<(), Failure> {
    let set = scene.set(&[("V1__a.sql", &[scene.create("seen"), scene.put("seen", 1)])])?;
    scene.within("a run", scene.runner(&set)?.up()).await?;
    let (history, tables) = (scene.history().await?, scene.tables().await?);
    // A run that wanted the lock could not get it, and one that waited for it would not be over.
    let holder = scene.locked(&LockKey::default()).await?;
    let second = scene
        .within(
            "a second run, while another session holds the lock",
            scene.runner(&set)?.up(),
        )
        .await?;
    scene.leave(holder).await?;
    left_without_lock(&second)?;
    ensure_eq!(
        scene.history().await?,
        history,
        "the history after the second run"
    );
    ensure_eq!(
        scene.tables().await?,
        tables,
        "the tables after the second run"
    );
    ensure_eq!(scene.rows("seen").await?, Some(vec![1]), "the witness");
    Ok(())
}

/// Says when a run waits.
struct Waiting(Arc<Semaphore>);

impl Observer for Waiting {
    fn on_event(&self, event: &Event<'_>) {
        if matches!(event, Event::Waiting { .. }) {
            self.0.add_permits(1);
        }
    }
}

async fn waiters_leave_as_soon_as_another_has_finished(scene: &Scene) -> Result<(), Failure> {
    let set = scene.set(&[
        (
            "V1__create.sql",
            &[scene.create("seen"), scene.put("seen", 1)],
        ),
        ("V2__more.sql", &[scene.put("seen", 2)]),
    ])?;
    let mut locked = scene.locked(&LockKey::default()).await?;
    let mut waiters = JoinSet::new();
    let mut signs = Vec::new();
    for _ in 0..4 {
        let waits = Arc::new(Semaphore::new(0));
        let runner = scene.runner(&set)?.observer(Waiting(Arc::clone(&waits)));
        waiters.spawn(async move { runner.up().await });
        signs.push(waits);
    }
    for waits in signs {
        scene
            .within("a replica to wait for the lock", waits.acquire())
            .await?
            .forget();
    }
    for step in scene.steps(&mut locked, &set).await? {
        scene
            .within("apply()", locked.apply(&step, &NoObserver))
            .await?;
    }
    // The lock is still held, so whoever leaves now leaves without it.
    while let Some(done) = scene
        .in_time(
            "every waiter to leave, while the lock is held",
            waiters.join_next(),
        )
        .await?
    {
        left_without_lock(&done??)?;
    }
    scene.leave(locked).await?;
    ensure_eq!(scene.rows("seen").await?, Some(vec![1, 2]), "the witness");
    Ok(())
}

fn left_without_lock(report: &Report) -> Result<(), Failure> {
    ensure_eq!(report.outcome, Outcome::UpToDate, "the outcome");
    ensure!(
        !report.took_lock,
        "the run took the lock, with nothing to do"
    );
    ensure!(
        report.applied.is_empty(),
        "the run reports that it applied {:?}",
        report.applied
    );
    Ok(())
}

async fn a_first_run_of_many_applies_each_migration_once(scene: &Scene) -> Result<(), Failure> {
    let set = scene.set(&[
        (
            "V1__create.sql",
            &[scene.create("seen"), scene.put("seen", 1)],
        ),
        (
            "V2__more.sql",
            &[scene.put("seen", 2), scene.create("more")],
        ),
        (
            "V3__by_hand.sql no-transaction",
            &[scene.put("seen", 3), scene.put("more", 3)],
        ),
        ("R__views.sql", &[scene.put("more", 4)]),
    ])?;
    let mut applied = Vec::new();
    for done in runs(scene, &set).await? {
        let report = done.map_err(|error| format!("a replica failed: {}", crate::told(&error)))?;
        if report.applied.is_empty() {
            ensure_eq!(
                report.outcome,
                Outcome::UpToDate,
                "the outcome of a replica without work"
            );
        }
        applied.extend(report.applied.into_iter().map(|done| done.name));
    }
    applied.sort();
    ensure_eq!(
        applied,
        ["by hand", "create", "more", "views"],
        "what all replicas report as applied"
    );
    ensure_eq!(
        scene.rows("seen").await?,
        Some(vec![1, 2, 3]),
        "the witness"
    );
    ensure_eq!(
        scene.rows("more").await?,
        Some(vec![3, 4]),
        "the second witness"
    );
    ensure_eq!(scene.applied().await?.len(), 4, "rows of the history");
    Ok(())
}

async fn a_failing_migration_fails_for_all(scene: &Scene) -> Result<(), Failure> {
    let set = scene.set(&[
        (
            "V1__create.sql",
            &[scene.create("seen"), scene.put("seen", 1)],
        ),
        (
            "V2__fails.sql",
            &[scene.put("seen", 2), scene.put("missing", 2)],
        ),
    ])?;
    for done in runs(scene, &set).await? {
        fails(
            "a replica with a failing migration",
            done,
            &[ErrorKind::MigrationFailed],
        )?;
    }
    ensure_eq!(
        scene.applied().await?,
        ["1"],
        "applied versions after the failures"
    );
    scene.make("missing").await?;
    scene
        .within("the good run", scene.runner(&set)?.up())
        .await?;
    ensure_eq!(scene.rows("seen").await?, Some(vec![1, 2]), "the witness");
    ensure_eq!(
        scene.rows("missing").await?,
        Some(vec![2]),
        "the second witness"
    );
    Ok(())
}

/// Runs all replicas at once. No two of them may be under the lock at the same time.
async fn runs(scene: &Scene, set: &MigrationSet) -> Result<Vec<CoreResult<Report>>, Failure> {
    let holder = scene.path("holder");
    let mut tasks = JoinSet::new();
    for _ in 0..scene.suite().replicas {
        let runner = scene.runner(set)?.observer(SoleHolder::new(holder.clone()));
        tasks.spawn(async move { runner.up().await });
    }
    let all = scene.in_time("all replicas", tasks.join_all()).await?;
    ensure!(
        !SoleHolder::saw_two(&holder),
        "two replicas held the lock at once"
    );
    Ok(all)
}
