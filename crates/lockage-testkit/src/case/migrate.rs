//! Runs that nothing disturbs, and scripts that fail.

use lockage_core::{NoObserver, Outcome, PlanOptions, State, plan};

use super::failing_run;
use crate::Failure;
use crate::scene::Scene;

cases!("migrate":
    applies_each_once_in_order_and_records_it,
    a_failing_migration_then_a_good_run,
    a_failed_migration_can_be_corrected,
    a_failed_migration_leaves_nothing_half_applied [TransactionalDdl],
    a_stale_plan_runs_nothing_twice,
    a_script_without_statements_is_recorded,
);

async fn applies_each_once_in_order_and_records_it(scene: &Scene) -> Result<(), Failure> {
    // Each needs what the one before it made.
    let set = scene.set(&[
        ("V10__c.sql", &[scene.put("two", 3), scene.put("two", 4)]),
        ("V2__b.sql", &[scene.put("one", 2), scene.create("two")]),
        ("V1__a.sql", &[scene.create("one"), scene.put("one", 1)]),
    ])?;
    let report = scene.within("a run", scene.runner(&set)?.up()).await?;
    ensure_eq!(report.outcome, Outcome::Applied, "the outcome");
    ensure!(
        report.took_lock,
        "the run reports that it did not take the lock"
    );
    let applied: Vec<_> = report
        .applied
        .iter()
        .filter_map(|done| done.version.as_deref())
        .collect();
    ensure_eq!(applied, ["1", "2", "10"], "reported versions");
    ensure_eq!(
        scene.rows("one").await?,
        Some(vec![1, 2]),
        "the first witness"
    );
    ensure_eq!(
        scene.rows("two").await?,
        Some(vec![3, 4]),
        "the second witness"
    );
    ensure_eq!(
        scene.applied().await?,
        ["1", "2", "10"],
        "recorded versions"
    );
    let next = scene.locked(&Default::default()).await?;
    scene.leave(next).await
}

async fn a_failing_migration_then_a_good_run(scene: &Scene) -> Result<(), Failure> {
    let set = scene.set(&[
        (
            "V1__create.sql",
            &[scene.create("seen"), scene.put("seen", 1)],
        ),
        (
            "V2__fails.sql",
            &[
                scene.put("seen", 2),
                scene.put("missing", 1),
                scene.put("seen", 3),
            ],
        ),
        ("V3__after.sql", &[scene.put("seen", 4)]),
    ])?;
    let error = failing_run(scene, &set).await?;
    let file = error.location().map(|location| location.file.as_str());
    ensure_eq!(file, Some("V2__fails.sql"), "the file that the error names");
    let applied = error.report().map(|report| report.applied.len());
    ensure_eq!(
        applied,
        Some(1),
        "migrations that the error reports as applied before"
    );
    ensure_eq!(
        scene.applied().await?,
        ["1"],
        "applied versions after the failure"
    );
    // Free at once: a lock that is left behind by an error would be taken for a holder by the next replica.
    let next = scene.locked(&Default::default()).await?;
    scene.leave(next).await?;

    scene.make("missing").await?;
    scene
        .within("the good run", scene.runner(&set)?.up())
        .await?;
    ensure_eq!(
        scene.rows("seen").await?,
        Some(vec![1, 2, 3, 4]),
        "the witness"
    );
    ensure_eq!(
        scene.rows("missing").await?,
        Some(vec![1]),
        "the second witness"
    );
    ensure_eq!(scene.applied().await?, ["1", "2", "3"], "applied versions");
    ensure_eq!(scene.history().await?.rows.len(), 3, "rows in the history");
    Ok(())
}

async fn a_failed_migration_can_be_corrected(scene: &Scene) -> Result<(), Failure> {
    let create = [scene.create("seen"), scene.put("seen", 1)];
    let wrong = [scene.put("seen", 2), scene.put("missing", 3)];
    let right = [scene.put("seen", 2), scene.put("seen", 3)];
    let set = scene.set(&[("V1__create.sql", &create), ("V2__change.sql", &wrong)])?;
    failing_run(scene, &set).await?;

    let set = scene.set(&[("V1__create.sql", &create), ("V2__change.sql", &right)])?;
    scene
        .within("the corrected run", scene.runner(&set)?.up())
        .await?;
    ensure_eq!(
        scene.rows("seen").await?,
        Some(vec![1, 2, 3]),
        "the witness"
    );
    let done = scene
        .within("a run after that", scene.runner(&set)?.up())
        .await?;
    ensure_eq!(
        done.outcome,
        Outcome::UpToDate,
        "the outcome of a run after the corrected one"
    );
    Ok(())
}

async fn a_failed_migration_leaves_nothing_half_applied(scene: &Scene) -> Result<(), Failure> {
    let set = scene.set(&[
        ("V1__create.sql", &[scene.create("seen")]),
        (
            "V2__fails.sql",
            &[
                scene.put("seen", 2),
                scene.create("half"),
                scene.put("missing", 1),
            ],
        ),
    ])?;
    failing_run(scene, &set).await?;
    ensure_eq!(
        scene.rows("seen").await?,
        Some(vec![]),
        "rows of a migration that failed"
    );
    ensure_eq!(
        scene.rows("half").await?,
        None,
        "the table of a migration that failed"
    );
    let left = scene
        .history()
        .await?
        .rows
        .into_iter()
        .find(|row| row.version == "2");
    ensure!(
        left.as_ref()
            .is_none_or(|row| row.state == State::Failed && row.statements_done == 0),
        "a migration that failed and was rolled back has the row {left:?}"
    );
    Ok(())
}

async fn a_stale_plan_runs_nothing_twice(scene: &Scene) -> Result<(), Failure> {
    let set = scene.set(&[
        (
            "V1__create.sql",
            &[scene.create("seen"), scene.put("seen", 1)],
        ),
        ("V2__more.sql", &[scene.put("seen", 2)]),
        ("V3__by_hand.sql no-transaction", &[scene.put("seen", 3)]),
    ])?;
    let history = scene.history().await?;
    let steps = plan::plan(&set, &history, &PlanOptions::default())?.steps;
    let mut early = scene.connect().await?;
    scene.within("reading the history", early.history()).await?;
    scene
        .within("a run of another replica", scene.runner(&set)?.up())
        .await?;

    let mut locked = scene.lock_with(early, &Default::default()).await?;
    scene
        .within("making the history", locked.ensure_history())
        .await?;
    for step in &steps {
        // Whether a backend says so by an error or by doing nothing is its own affair.
        let done = scene
            .in_time("a step of a stale plan", locked.apply(step, &NoObserver))
            .await?;
        if let Ok(applied) = done {
            ensure_eq!(
                applied.statements,
                0,
                "statements that a stale step reports"
            );
        }
    }
    scene.leave(locked).await?;
    ensure_eq!(
        scene.rows("seen").await?,
        Some(vec![1, 2, 3]),
        "the witness"
    );
    ensure_eq!(scene.applied().await?, ["1", "2", "3"], "applied versions");
    Ok(())
}

async fn a_script_without_statements_is_recorded(scene: &Scene) -> Result<(), Failure> {
    let set = scene.set(&[
        ("V1__empty.sql", &[]),
        ("V2__empty.sql no-transaction", &[]),
        ("V3__create.sql", &[scene.create("seen")]),
    ])?;
    scene.within("a run", scene.runner(&set)?.up()).await?;
    ensure_eq!(scene.applied().await?, ["1", "2", "3"], "applied versions");
    let done = scene
        .within("a second run", scene.runner(&set)?.up())
        .await?;
    ensure_eq!(
        done.outcome,
        Outcome::UpToDate,
        "the outcome of a second run"
    );
    Ok(())
}
