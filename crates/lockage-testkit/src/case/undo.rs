//! Taking migrations back.

use lockage_core::{Outcome, PlanOptions};

use crate::Failure;
use crate::scene::Scene;

cases!("undo":
    runs_the_undo_script_once_and_makes_the_version_pending,
    goes_down_to_a_version_newest_first,
);

async fn runs_the_undo_script_once_and_makes_the_version_pending(
    scene: &Scene,
) -> Result<(), Failure> {
    let set = scene.set(&[
        (
            "V1__create.sql",
            &[scene.create("done"), scene.create("undone")],
        ),
        ("V2__more.sql", &[scene.put("done", 2)]),
        ("U2__more.sql", &[scene.put("undone", 2)]),
    ])?;
    scene.within("a run", scene.runner(&set)?.up()).await?;
    let report = scene
        .within("a run down", scene.runner(&set)?.down())
        .await?;
    ensure_eq!(
        report.applied.len(),
        1,
        "migrations that the run down reports"
    );
    ensure_eq!(
        scene.rows("undone").await?,
        Some(vec![2]),
        "undo scripts that ran"
    );
    ensure_eq!(
        scene.applied().await?,
        ["1"],
        "applied versions after the undo"
    );
    let plan = scene.within("a plan", scene.runner(&set)?.plan()).await?;
    ensure_eq!(plan.steps.len(), 1, "pending versions after the undo");

    let report = scene
        .within("a run up again", scene.runner(&set)?.up())
        .await?;
    ensure_eq!(
        report.outcome,
        Outcome::Applied,
        "the outcome of the run up again"
    );
    ensure_eq!(scene.rows("done").await?, Some(vec![2, 2]), "the witness");
    ensure_eq!(scene.applied().await?, ["1", "2"], "applied versions");
    Ok(())
}

async fn goes_down_to_a_version_newest_first(scene: &Scene) -> Result<(), Failure> {
    // The undo script of 2 needs what the undo script of 3 makes.
    let set = scene.set(&[
        ("V1__a.sql", &[scene.create("one")]),
        ("V2__b.sql", &[scene.create("two")]),
        ("U2__b.sql", &[scene.put("undone", 2)]),
        ("V3__c.sql", &[scene.create("three")]),
        (
            "U3__c.sql no-transaction",
            &[scene.create("undone"), scene.put("undone", 3)],
        ),
    ])?;
    scene.within("a run", scene.runner(&set)?.up()).await?;
    let mut options = PlanOptions::default();
    options.to = Some("1".parse()?);
    let report = scene
        .within(
            "a run down",
            scene.runner(&set)?.plan_options(options).down(),
        )
        .await?;
    let undone: Vec<_> = report
        .applied
        .iter()
        .filter_map(|done| done.version.as_deref())
        .collect();
    ensure_eq!(undone, ["3", "2"], "reported versions");
    ensure_eq!(scene.rows("undone").await?, Some(vec![2, 3]), "the witness");
    ensure_eq!(scene.applied().await?, ["1"], "applied versions");
    Ok(())
}
