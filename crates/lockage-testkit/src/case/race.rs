//! Replicas as tasks of one program.

use std::sync::Arc;

use lockage_core::{
    ErrorKind, Event, LockKey, MigrationSet, NoObserver, Observer, Outcome, Report, RunError,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::fails;
use crate::TestError;
use crate::case_context::CaseContext;
use crate::exclusivity::ExclusivityProbe;

cases!("race":
    a_second_run_writes_nothing_and_takes_no_lock,
    waiters_leave_as_soon_as_another_has_finished,
    a_first_run_of_many_applies_each_migration_once,
    a_failing_migration_fails_for_all,
);

async fn a_second_run_writes_nothing_and_takes_no_lock(
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
    // A run that wanted the lock could not get it, and one that waited for it would not be over.
    let holder = context.lock(&LockKey::default()).await?;
    let second = context
        .with_timeout_ok(
            "a second run, while another session holds the lock",
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
    ensure_eq!(context.rows("seen").await?, Some(vec![1]), "the witness");
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

async fn waiters_leave_as_soon_as_another_has_finished(
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
        ("V2__more.sql", &[context.insert_sql("seen", 2)]),
    ])?;
    let mut locked = context.lock(&LockKey::default()).await?;
    let mut waiters = JoinSet::new();
    let mut signs = Vec::new();
    for _ in 0..4 {
        let waits = Arc::new(Semaphore::new(0));
        let runner = context.runner(&set)?.observer(Waiting(Arc::clone(&waits)));
        waiters.spawn(async move { runner.up().await });
        signs.push(waits);
    }
    for waits in signs {
        context
            .with_timeout_ok("a replica to wait for the lock", waits.acquire())
            .await?
            .forget();
    }
    for step in context.steps(&mut locked, &set).await? {
        context
            .with_timeout_ok("apply()", locked.apply(&step, &NoObserver))
            .await?;
    }
    // The lock is still held, so whoever leaves now leaves without it.
    while let Some(done) = context
        .with_timeout(
            "every waiter to leave, while the lock is held",
            waiters.join_next(),
        )
        .await?
    {
        exited_without_lock(&done??)?;
    }
    context.unlock(locked).await?;
    ensure_eq!(context.rows("seen").await?, Some(vec![1, 2]), "the witness");
    Ok(())
}

fn exited_without_lock(report: &Report) -> Result<(), TestError> {
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

async fn a_first_run_of_many_applies_each_migration_once(
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
    for done in runs(context, &set).await? {
        let report = done
            .map_err(|error| format!("a replica failed: {}", crate::format_error_chain(&error)))?;
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
        context.rows("seen").await?,
        Some(vec![1, 2, 3]),
        "the witness"
    );
    ensure_eq!(
        context.rows("more").await?,
        Some(vec![3, 4]),
        "the second witness"
    );
    ensure_eq!(
        context.applied_versions().await?.len(),
        4,
        "rows of the history"
    );
    Ok(())
}

async fn a_failing_migration_fails_for_all(context: &CaseContext) -> Result<(), TestError> {
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
    for done in runs(context, &set).await? {
        fails(
            "a replica with a failing migration",
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
    ensure_eq!(context.rows("seen").await?, Some(vec![1, 2]), "the witness");
    ensure_eq!(
        context.rows("missing").await?,
        Some(vec![2]),
        "the second witness"
    );
    Ok(())
}

/// Runs all replicas at once. No two of them may be under the lock at the same time.
async fn runs(
    context: &CaseContext,
    set: &MigrationSet,
) -> Result<Vec<Result<Report, RunError>>, TestError> {
    let holder = context.path("holder");
    let mut tasks = JoinSet::new();
    for _ in 0..context.suite().processes {
        let runner = context
            .runner(set)?
            .observer(ExclusivityProbe::new(holder.clone()));
        tasks.spawn(async move { runner.up().await });
    }
    let all = context
        .with_timeout("all replicas", tasks.join_all())
        .await?;
    ensure!(
        !ExclusivityProbe::detected_overlap(&holder),
        "two replicas held the lock at once"
    );
    Ok(all)
}
