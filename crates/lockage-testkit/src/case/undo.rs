//! Undo scripts.

use lockage_core::{Outcome, PlanOptions};

use crate::TestError;
use crate::case_context::CaseContext;

cases!("undo":
    undo_runs_script_once_and_version_is_pending,
    down_to_version_undoes_newest_first,
);

async fn undo_runs_script_once_and_version_is_pending(
    context: &CaseContext,
) -> Result<(), TestError> {
    let set = context.migrations(&[
        (
            "V1__create.sql",
            &[
                context.create_table_sql("done"),
                context.create_table_sql("undone"),
            ],
        ),
        ("V2__more.sql", &[context.insert_sql("done", 2)]),
        ("U2__more.sql", &[context.insert_sql("undone", 2)]),
    ])?;
    context
        .with_timeout_ok("a run", context.runner(&set)?.up())
        .await?;
    let report = context
        .with_timeout_ok("a run down", context.runner(&set)?.down())
        .await?;
    ensure_eq!(
        report.applied.len(),
        1,
        "migrations that the run down reports"
    );
    ensure_eq!(
        context.rows("undone").await?,
        Some(vec![2]),
        "rows of undo scripts"
    );
    ensure_eq!(
        context.applied_versions().await?,
        ["1"],
        "applied versions after the undo"
    );
    let plan = context
        .with_timeout_ok("a plan", context.runner(&set)?.plan())
        .await?;
    ensure_eq!(plan.steps.len(), 1, "pending versions after the undo");

    let report = context
        .with_timeout_ok("a run up again", context.runner(&set)?.up())
        .await?;
    ensure_eq!(
        report.outcome,
        Outcome::Applied,
        "the outcome of the run up again"
    );
    ensure_eq!(
        context.rows("done").await?,
        Some(vec![2, 2]),
        "the inserted rows"
    );
    ensure_eq!(
        context.applied_versions().await?,
        ["1", "2"],
        "applied versions"
    );
    Ok(())
}

async fn down_to_version_undoes_newest_first(context: &CaseContext) -> Result<(), TestError> {
    // The undo script of version 2 needs the table that the undo script of version 3 creates.
    let set = context.migrations(&[
        ("V1__a.sql", &[context.create_table_sql("one")]),
        ("V2__b.sql", &[context.create_table_sql("two")]),
        ("U2__b.sql", &[context.insert_sql("undone", 2)]),
        ("V3__c.sql", &[context.create_table_sql("three")]),
        (
            "U3__c.sql no-transaction",
            &[
                context.create_table_sql("undone"),
                context.insert_sql("undone", 3),
            ],
        ),
    ])?;
    context
        .with_timeout_ok("a run", context.runner(&set)?.up())
        .await?;
    let mut options = PlanOptions::default();
    options.to = Some("1".parse()?);
    let report = context
        .with_timeout_ok(
            "a run down",
            context.runner(&set)?.plan_options(options).down(),
        )
        .await?;
    let undone: Vec<_> = report
        .applied
        .iter()
        .filter_map(|done| done.version.as_deref())
        .collect();
    ensure_eq!(undone, ["3", "2"], "reported versions");
    ensure_eq!(
        context.rows("undone").await?,
        Some(vec![2, 3]),
        "the inserted rows"
    );
    ensure_eq!(context.applied_versions().await?, ["1"], "applied versions");
    Ok(())
}
