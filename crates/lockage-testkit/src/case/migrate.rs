//! Runs that nothing disturbs, and scripts that fail.

use lockage_core::{NoObserver, Outcome, PlanOptions, State, plan};

use super::failing_run;
use crate::TestError;
use crate::case_context::CaseContext;

cases!("migrate":
    applies_each_once_in_order_and_records_it,
    a_failing_migration_then_a_good_run,
    a_failed_migration_can_be_corrected,
    a_failed_migration_leaves_nothing_half_applied [TransactionalDdl],
    a_stale_plan_runs_nothing_twice,
    a_script_without_statements_is_recorded,
);

async fn applies_each_once_in_order_and_records_it(context: &CaseContext) -> Result<(), TestError> {
    // Each needs what the one before it made.
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
        "the run reports that it did not take the lock"
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
        "the first witness"
    );
    ensure_eq!(
        context.rows("two").await?,
        Some(vec![3, 4]),
        "the second witness"
    );
    ensure_eq!(
        context.applied_versions().await?,
        ["1", "2", "10"],
        "recorded versions"
    );
    let next = context.lock(&Default::default()).await?;
    context.unlock(next).await
}

async fn a_failing_migration_then_a_good_run(context: &CaseContext) -> Result<(), TestError> {
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
    let error = failing_run(context, &set).await?;
    let file = error.location().map(|location| location.file.as_str());
    ensure_eq!(file, Some("V2__fails.sql"), "the file that the error names");
    let applied = error.report().map(|report| report.applied.len());
    ensure_eq!(
        applied,
        Some(1),
        "migrations that the error reports as applied before"
    );
    ensure_eq!(
        context.applied_versions().await?,
        ["1"],
        "applied versions after the failure"
    );
    // Free at once: a lock that is left behind by an error would be taken for a holder by the next replica.
    let next = context.lock(&Default::default()).await?;
    context.unlock(next).await?;

    context.create_table("missing").await?;
    context
        .with_timeout_ok("the good run", context.runner(&set)?.up())
        .await?;
    ensure_eq!(
        context.rows("seen").await?,
        Some(vec![1, 2, 3, 4]),
        "the witness"
    );
    ensure_eq!(
        context.rows("missing").await?,
        Some(vec![1]),
        "the second witness"
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

async fn a_failed_migration_can_be_corrected(context: &CaseContext) -> Result<(), TestError> {
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
    failing_run(context, &set).await?;

    let set = context.migrations(&[("V1__create.sql", &create), ("V2__change.sql", &right)])?;
    context
        .with_timeout_ok("the corrected run", context.runner(&set)?.up())
        .await?;
    ensure_eq!(
        context.rows("seen").await?,
        Some(vec![1, 2, 3]),
        "the witness"
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

async fn a_failed_migration_leaves_nothing_half_applied(
    context: &CaseContext,
) -> Result<(), TestError> {
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
    failing_run(context, &set).await?;
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
        "a migration that failed and was rolled back has the row {left:?}"
    );
    Ok(())
}

async fn a_stale_plan_runs_nothing_twice(context: &CaseContext) -> Result<(), TestError> {
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
    let steps = plan::plan(&set, &history, &PlanOptions::default())?.steps;
    let mut early = context.connect().await?;
    context
        .with_timeout_ok("reading the history", early.history())
        .await?;
    context
        .with_timeout_ok("a run of another replica", context.runner(&set)?.up())
        .await?;

    let mut locked = context.lock_session(early, &Default::default()).await?;
    context
        .with_timeout_ok("making the history", locked.ensure_history())
        .await?;
    for step in &steps {
        // Whether a backend says so by an error or by doing nothing is its own affair.
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
        "the witness"
    );
    ensure_eq!(
        context.applied_versions().await?,
        ["1", "2", "3"],
        "applied versions"
    );
    Ok(())
}

async fn a_script_without_statements_is_recorded(context: &CaseContext) -> Result<(), TestError> {
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
