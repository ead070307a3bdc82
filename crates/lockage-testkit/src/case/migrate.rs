//! Runs without faults, and runs with a failing script.

use lockage_core::{MigrationSet, NoObserver, Outcome, PlanOptions, State, plan};

use super::expect::expect_failing_run;
use crate::TestError;
use crate::case_context::CaseContext;

cases!("migrate":
    migrations_are_applied_once_in_order_and_recorded,
    failed_migration_next_run_succeeds,
    failed_migration_can_be_corrected,
    failed_migration_is_rolled_back [TransactionalDdl],
    stale_plan_applies_nothing_twice,
    empty_script_is_recorded,
);

async fn migrations_are_applied_once_in_order_and_recorded(
    context: &CaseContext,
) -> Result<(), TestError> {
    // Each migration needs the table of the previous one.
    let set = context.migrations(&[
        (
            "V10__c.sql",
            &[context.insert_sql("two", 3), context.insert_sql("two", 4)],
        ),
        (
            "V2__b.sql",
            &[
                context.insert_sql("one", 2),
                context.create_table_sql("two"),
            ],
        ),
        (
            "V1__a.sql",
            &[
                context.create_table_sql("one"),
                context.insert_sql("one", 1),
            ],
        ),
    ])?;
    let report = context
        .with_timeout_ok("a run", context.runner(&set)?.up())
        .await?;
    ensure_eq!(report.outcome, Outcome::Applied, "the outcome");
    ensure!(
        report.took_lock,
        "the run reports that it did not hold the lock"
    );
    let applied: Vec<_> = report
        .applied
        .iter()
        .filter_map(|done| done.version.as_deref())
        .collect();
    ensure_eq!(applied, ["1", "2", "10"], "reported versions");
    ensure_eq!(
        context.rows("one").await?,
        Some(vec![1, 2]),
        "the rows of the first table"
    );
    ensure_eq!(
        context.rows("two").await?,
        Some(vec![3, 4]),
        "the rows of the second table"
    );
    ensure_eq!(
        context.applied_versions().await?,
        ["1", "2", "10"],
        "recorded versions"
    );
    let next = context.lock(&Default::default()).await?;
    context.unlock(next).await
}

async fn failed_migration_next_run_succeeds(context: &CaseContext) -> Result<(), TestError> {
    let set = context.migrations(&[
        (
            "V1__create.sql",
            &[
                context.create_table_sql("seen"),
                context.insert_sql("seen", 1),
            ],
        ),
        (
            "V2__fails.sql",
            &[
                context.insert_sql("seen", 2),
                context.insert_sql("missing", 1),
                context.insert_sql("seen", 3),
            ],
        ),
        ("V3__after.sql", &[context.insert_sql("seen", 4)]),
    ])?;
    expect_second_migration_fails(context, &set).await?;

    context.create_table("missing").await?;
    context
        .with_timeout_ok("the good run", context.runner(&set)?.up())
        .await?;
    ensure_eq!(
        context.rows("seen").await?,
        Some(vec![1, 2, 3, 4]),
        "the inserted rows"
    );
    ensure_eq!(
        context.rows("missing").await?,
        Some(vec![1]),
        "the rows of the second table"
    );
    ensure_eq!(
        context.applied_versions().await?,
        ["1", "2", "3"],
        "applied versions"
    );
    ensure_eq!(
        context.history().await?.rows.len(),
        3,
        "rows in the history"
    );
    Ok(())
}

/// Checks that the second migration fails, that the error names it, and that the lock is free.
async fn expect_second_migration_fails(
    context: &CaseContext,
    set: &MigrationSet,
) -> Result<(), TestError> {
    let error = expect_failing_run(context, set).await?;
    let file = error.location().map(|location| location.file.as_str());
    ensure_eq!(file, Some("V2__fails.sql"), "the file that the error names");
    let applied = error.report().map(|report| report.applied.len());
    ensure_eq!(
        applied,
        Some(1),
        "migrations that the error reports as applied"
    );
    ensure_eq!(
        context.applied_versions().await?,
        ["1"],
        "applied versions after the failure"
    );
    // The lock must be free immediately: another run would take a lock that remains after an error for a running holder.
    let next = context.lock(&Default::default()).await?;
    context.unlock(next).await
}

async fn failed_migration_can_be_corrected(context: &CaseContext) -> Result<(), TestError> {
    let create = [
        context.create_table_sql("seen"),
        context.insert_sql("seen", 1),
    ];
    let wrong = [
        context.insert_sql("seen", 2),
        context.insert_sql("missing", 3),
    ];
    let right = [context.insert_sql("seen", 2), context.insert_sql("seen", 3)];
    let set = context.migrations(&[("V1__create.sql", &create), ("V2__change.sql", &wrong)])?;
    expect_failing_run(context, &set).await?;

    let set = context.migrations(&[("V1__create.sql", &create), ("V2__change.sql", &right)])?;
    context
        .with_timeout_ok("the corrected run", context.runner(&set)?.up())
        .await?;
    ensure_eq!(
        context.rows("seen").await?,
        Some(vec![1, 2, 3]),
        "the inserted rows"
    );
    let done = context
        .with_timeout_ok("a run after that", context.runner(&set)?.up())
        .await?;
    ensure_eq!(
        done.outcome,
        Outcome::UpToDate,
        "the outcome of a run after the corrected one"
    );
    Ok(())
}

async fn failed_migration_is_rolled_back(context: &CaseContext) -> Result<(), TestError> {
    let set = context.migrations(&[
        ("V1__create.sql", &[context.create_table_sql("seen")]),
        (
            "V2__fails.sql",
            &[
                context.insert_sql("seen", 2),
                context.create_table_sql("half"),
                context.insert_sql("missing", 1),
            ],
        ),
    ])?;
    expect_failing_run(context, &set).await?;
    ensure_eq!(
        context.rows("seen").await?,
        Some(vec![]),
        "rows of a migration that failed"
    );
    ensure_eq!(
        context.rows("half").await?,
        None,
        "the table of a migration that failed"
    );
    let left = context
        .history()
        .await?
        .rows
        .into_iter()
        .find(|row| row.version == "2");
    ensure!(
        left.as_ref()
            .is_none_or(|row| row.state == State::Failed && row.statements_done == 0),
        "a failed migration that was rolled back has the row {left:?}"
    );
    Ok(())
}

async fn stale_plan_applies_nothing_twice(context: &CaseContext) -> Result<(), TestError> {
    let set = context.migrations(&[
        (
            "V1__create.sql",
            &[
                context.create_table_sql("seen"),
                context.insert_sql("seen", 1),
            ],
        ),
        ("V2__more.sql", &[context.insert_sql("seen", 2)]),
        (
            "V3__by_hand.sql no-transaction",
            &[context.insert_sql("seen", 3)],
        ),
    ])?;
    let history = context.history().await?;
    let steps = plan::plan_up(&set, &history, &PlanOptions::default())?.steps;
    let mut early = context.connect().await?;
    context
        .with_timeout_ok("reading the history", early.history())
        .await?;
    context
        .with_timeout_ok("a run of another replica", context.runner(&set)?.up())
        .await?;

    let mut locked = context.lock_session(early, &Default::default()).await?;
    context
        .with_timeout_ok("creating the history", locked.ensure_history())
        .await?;
    for step in &steps {
        // A backend may fail or do nothing.
        let done = context
            .with_timeout("a step of a stale plan", locked.apply(step, &NoObserver))
            .await?;
        if let Ok(applied) = done {
            ensure_eq!(
                applied.statements,
                0,
                "statements that a stale step reports"
            );
        }
    }
    context.unlock(locked).await?;
    ensure_eq!(
        context.rows("seen").await?,
        Some(vec![1, 2, 3]),
        "the inserted rows"
    );
    ensure_eq!(
        context.applied_versions().await?,
        ["1", "2", "3"],
        "applied versions"
    );
    Ok(())
}

async fn empty_script_is_recorded(context: &CaseContext) -> Result<(), TestError> {
    let set = context.migrations(&[
        ("V1__empty.sql", &[]),
        ("V2__empty.sql no-transaction", &[]),
        ("V3__create.sql", &[context.create_table_sql("seen")]),
    ])?;
    context
        .with_timeout_ok("a run", context.runner(&set)?.up())
        .await?;
    ensure_eq!(
        context.applied_versions().await?,
        ["1", "2", "3"],
        "applied versions"
    );
    let done = context
        .with_timeout_ok("a second run", context.runner(&set)?.up())
        .await?;
    ensure_eq!(
        done.outcome,
        Outcome::UpToDate,
        "the outcome of a second run"
    );
    Ok(())
}
