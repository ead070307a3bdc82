//! Concurrent runs in tasks of one process.

use std::sync::Arc;

use lockage_core::{
    ErrorKind, Event, LockKey, MigrationSet, NoObserver, Observer, Outcome, Report, RunError,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::expect::expect_error;
use crate::ExclusivityProbe;
use crate::TestError;
use crate::case_context::CaseContext;

cases!("race":
    second_run_writes_nothing_and_takes_no_lock,
    waiters_exit_when_schema_is_current,
    concurrent_first_runs_apply_each_migration_once,
    failing_migration_fails_every_run,
);

async fn second_run_writes_nothing_and_takes_no_lock(
    context: &CaseContext,
) -> Result<(), TestError> {
    let set = context.migrations(&[(
        "V1__a.sql",
        &[
            context.create_table_sql("seen"),
            context.insert_sql("seen", 1),
        ],
    )])?;
    context
        .with_timeout_ok("a run", context.runner(&set)?.up())
        .await?;
    let (history, tables) = (context.history().await?, context.tables().await?);
    // A run that tries to acquire the lock would wait and would not end.
    let holder = context.lock(&LockKey::default()).await?;
    let second = context
        .with_timeout_ok(
            "a second run while another session holds the lock",
            context.runner(&set)?.up(),
        )
        .await?;
    context.unlock(holder).await?;
    exited_without_lock(&second)?;
    ensure_eq!(
        context.history().await?,
        history,
        "the history after the second run"
    );
    ensure_eq!(
        context.tables().await?,
        tables,
        "the tables after the second run"
    );
    ensure_eq!(
        context.rows("seen").await?,
        Some(vec![1]),
        "the inserted rows"
    );
    Ok(())
}

/// An observer that adds a permit when a run waits.
struct WaitObserver(Arc<Semaphore>);

impl Observer for WaitObserver {
    fn on_event(&self, event: &Event<'_>) {
        if matches!(event, Event::Waiting { .. }) {
            self.0.add_permits(1);
        }
    }
}

async fn waiters_exit_when_schema_is_current(context: &CaseContext) -> Result<(), TestError> {
    let set = context.migrations(&[
        (
            "V1__create.sql",
            &[
                context.create_table_sql("seen"),
                context.insert_sql("seen", 1),
            ],
        ),
        ("V2__more.sql", &[context.insert_sql("seen", 2)]),
    ])?;
    let mut locked = context.lock(&LockKey::default()).await?;
    let mut waiters = JoinSet::new();
    let mut wait_counts = Vec::new();
    for _ in 0..4 {
        let waits = Arc::new(Semaphore::new(0));
        let runner = context
            .runner(&set)?
            .observer(WaitObserver(Arc::clone(&waits)));
        waiters.spawn(async move { runner.up().await });
        wait_counts.push(waits);
    }
    for waits in wait_counts {
        context
            .with_timeout_ok("a run to wait for the lock", waits.acquire())
            .await?
            .forget();
    }
    for step in context.steps(&mut locked, &set).await? {
        context
            .with_timeout_ok("apply()", locked.apply(&step, &NoObserver))
            .await?;
    }
    // The lock is still held, so a run that ends now has not acquired it.
    while let Some(done) = context
        .with_timeout(
            "every waiter to exit while the lock is held",
            waiters.join_next(),
        )
        .await?
    {
        exited_without_lock(&done??)?;
    }
    context.unlock(locked).await?;
    ensure_eq!(
        context.rows("seen").await?,
        Some(vec![1, 2]),
        "the inserted rows"
    );
    Ok(())
}

/// Checks that a run ended without the lock and applied nothing.
fn exited_without_lock(report: &Report) -> Result<(), TestError> {
    ensure_eq!(report.outcome, Outcome::UpToDate, "the outcome");
    ensure!(
        !report.took_lock,
        "the run acquired the lock although nothing was pending"
    );
    ensure!(
        report.applied.is_empty(),
        "the run reports {:?} as applied",
        report.applied
    );
    Ok(())
}

async fn concurrent_first_runs_apply_each_migration_once(
    context: &CaseContext,
) -> Result<(), TestError> {
    let set = context.migrations(&[
        (
            "V1__create.sql",
            &[
                context.create_table_sql("seen"),
                context.insert_sql("seen", 1),
            ],
        ),
        (
            "V2__more.sql",
            &[
                context.insert_sql("seen", 2),
                context.create_table_sql("more"),
            ],
        ),
        (
            "V3__by_hand.sql no-transaction",
            &[context.insert_sql("seen", 3), context.insert_sql("more", 3)],
        ),
        ("R__views.sql", &[context.insert_sql("more", 4)]),
    ])?;
    let mut applied = Vec::new();
    for done in concurrent_runs(context, &set).await? {
        let report =
            done.map_err(|error| format!("a run failed: {}", crate::format_error_chain(&error)))?;
        if report.applied.is_empty() {
            ensure_eq!(
                report.outcome,
                Outcome::UpToDate,
                "the outcome of a run that applied nothing"
            );
        }
        applied.extend(report.applied.into_iter().map(|done| done.name));
    }
    applied.sort();
    ensure_eq!(
        applied,
        ["by hand", "create", "more", "views"],
        "migrations that all runs report as applied"
    );
    ensure_eq!(
        context.rows("seen").await?,
        Some(vec![1, 2, 3]),
        "the inserted rows"
    );
    ensure_eq!(
        context.rows("more").await?,
        Some(vec![3, 4]),
        "the rows of the second table"
    );
    ensure_eq!(
        context.applied_versions().await?.len(),
        4,
        "rows of the history"
    );
    Ok(())
}

async fn failing_migration_fails_every_run(context: &CaseContext) -> Result<(), TestError> {
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
                context.insert_sql("missing", 2),
            ],
        ),
    ])?;
    for done in concurrent_runs(context, &set).await? {
        expect_error(
            "a run with a failing migration",
            done,
            &[ErrorKind::MigrationFailed],
        )?;
    }
    ensure_eq!(
        context.applied_versions().await?,
        ["1"],
        "applied versions after the failures"
    );
    context.create_table("missing").await?;
    context
        .with_timeout_ok("the good run", context.runner(&set)?.up())
        .await?;
    ensure_eq!(
        context.rows("seen").await?,
        Some(vec![1, 2]),
        "the inserted rows"
    );
    ensure_eq!(
        context.rows("missing").await?,
        Some(vec![2]),
        "the rows of the second table"
    );
    Ok(())
}

/// Starts all runs at the same time. Checks that no two of them hold the lock at the same time.
async fn concurrent_runs(
    context: &CaseContext,
    set: &MigrationSet,
) -> Result<Vec<Result<Report, RunError>>, TestError> {
    let file = context.path("exclusivity");
    let mut tasks = JoinSet::new();
    for _ in 0..context.suite().processes {
        let runner = context
            .runner(set)?
            .observer(ExclusivityProbe::new(file.clone()));
        tasks.spawn(async move { runner.up().await });
    }
    let all = context.with_timeout("all runs", tasks.join_all()).await?;
    ensure!(
        !ExclusivityProbe::detected_overlap(&file),
        "two runs held the lock"
    );
    Ok(all)
}
