//! Runs in child processes, some of which are killed.

use lockage_core::LockKey;

use super::{blocked_migration, resume};
use crate::case_context::CaseContext;
use crate::child::{ChildMessage, ChildProcess, ChildRole};
use crate::{ExclusivityProbe, TestError};

cases!("process":
    processes_never_share_lock [Processes],
    killed_holder_releases_lock [Processes],
    killed_mid_migration_next_run_completes [Processes, Barrier],
    killed_mid_statement_releases_lock [Processes, Barrier, DetectsDeadClient],
    killed_outside_transaction_next_run_resumes [Processes, Barrier],
    concurrent_first_runs_apply_each_migration_once [Processes],
);

async fn processes_never_share_lock(context: &CaseContext) -> Result<(), TestError> {
    for key in [LockKey::default(), LockKey::named("orders")?] {
        let mut child = context.child(ChildRole::Hold, &key).await?;
        context
            .with_timeout_ok(
                "the child to hold the lock",
                child.expect(ChildMessage::Holding),
            )
            .await?;
        let waiter = context.expect_busy(&key).await?;
        let free = context.lock(&LockKey::id(7)).await?;
        context.unlock(free).await?;
        child.resume().await?;
        context
            .with_timeout_ok(
                "the child to release the lock",
                child.expect(ChildMessage::Released),
            )
            .await?;
        let locked = context.lock_session(waiter, &key).await?;
        context.unlock(locked).await?;
    }
    Ok(())
}

async fn killed_holder_releases_lock(context: &CaseContext) -> Result<(), TestError> {
    let key = LockKey::default();
    let mut child = context.child(ChildRole::Hold, &key).await?;
    context
        .with_timeout_ok(
            "the child to hold the lock",
            child.expect(ChildMessage::Holding),
        )
        .await?;
    context
        .with_timeout_ok(
            "closing a session",
            context.expect_busy(&key).await?.close(),
        )
        .await?;
    context
        .with_timeout_ok("killing the child", child.kill())
        .await?;
    let next = context
        .wait_for_lock("the lock of a killed process", &key)
        .await?;
    context.unlock(next).await
}

async fn killed_mid_migration_next_run_completes(context: &CaseContext) -> Result<(), TestError> {
    killed_at_barrier(context, false).await
}

async fn killed_mid_statement_releases_lock(context: &CaseContext) -> Result<(), TestError> {
    killed_at_barrier(context, true).await
}

async fn killed_at_barrier(
    context: &CaseContext,
    free_while_closed: bool,
) -> Result<(), TestError> {
    let scripts = blocked_migration::scripts(context)?;
    let files = blocked_migration::files(&scripts);
    let barrier = context.close_barrier().await?;
    let child = start_child(context, &files).await?;
    context
        .with_timeout_ok("the migration to reach the barrier", barrier.wait_reached())
        .await?;
    context
        .with_timeout_ok("killing the child", child.kill())
        .await?;
    if free_while_closed {
        let what = "the lock of a killed process whose statement is blocked";
        let next = context.wait_for_lock(what, &LockKey::default()).await?;
        context.unlock(next).await?;
    }
    context
        .with_timeout_ok("opening the barrier", barrier.open())
        .await?;
    blocked_migration::expect_completion(context).await
}

async fn killed_outside_transaction_next_run_resumes(
    context: &CaseContext,
) -> Result<(), TestError> {
    let statements = resume::statements(context)?;
    let files: [(&str, &[String]); 1] = [("V1__by_hand.sql no-transaction", &statements)];
    let barrier = context.close_barrier().await?;
    let child = start_child(context, &files).await?;
    resume::wait_at_barrier(context).await?;
    context
        .with_timeout_ok("killing the child", child.kill())
        .await?;
    context
        .with_timeout_ok("opening the barrier", barrier.open())
        .await?;
    context
        .with_timeout_ok(
            "the next run",
            context
                .runner_without_limits(&context.migrations(&files)?)?
                .up(),
        )
        .await?;
    resume::expect_completion(context).await
}

async fn concurrent_first_runs_apply_each_migration_once(
    context: &CaseContext,
) -> Result<(), TestError> {
    let files: [(&str, &[String]); 4] = [
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
        ("V4__last.sql", &[context.insert_sql("more", 4)]),
    ];
    ensure_eq!(
        applied_by_concurrent_runs(context, &files).await?,
        ["1", "2", "3", "4"],
        "migrations that all processes report as applied"
    );
    ensure!(
        !ExclusivityProbe::detected_overlap(&context.path("exclusivity")),
        "two processes held the lock"
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

/// Runs `up` in all child processes at the same time. Returns the sorted versions that they applied.
async fn applied_by_concurrent_runs(
    context: &CaseContext,
    files: &[(&str, &[String])],
) -> Result<Vec<String>, TestError> {
    let mut children = Vec::new();
    for _ in 0..context.suite().processes {
        children.push(expect_ready(context, files).await?);
    }
    for child in &mut children {
        child.resume().await?;
    }
    let mut applied = Vec::new();
    for child in &mut children {
        applied.extend(receive_applied(context, child).await?);
    }
    applied.sort();
    Ok(applied)
}

/// Waits until a child has run `up`. Returns the versions that it applied.
async fn receive_applied(
    context: &CaseContext,
    child: &mut ChildProcess,
) -> Result<Vec<String>, TestError> {
    let message = context
        .with_timeout_ok("a process to end", child.receive())
        .await?;
    let ChildMessage::Done {
        outcome, applied, ..
    } = message
    else {
        return Err(format!("a process failed: {message:?}").into());
    };
    ensure_eq!(
        outcome,
        if applied.is_empty() {
            "up_to_date"
        } else {
            "applied"
        },
        "the outcome of a process that applied {applied:?}"
    );
    Ok(applied)
}

/// Starts a child and waits until it is ready to run `up`.
async fn expect_ready(
    context: &CaseContext,
    files: &[(&str, &[String])],
) -> Result<ChildProcess, TestError> {
    let role = ChildRole::Up {
        folder: context.migration_dir(files)?,
        exclusivity_file: context.path("exclusivity"),
    };
    let mut child = context.child(role, &LockKey::default()).await?;
    context
        .with_timeout_ok("the child to be ready", child.expect(ChildMessage::Ready))
        .await?;
    Ok(child)
}

/// Starts a child that runs `up`.
async fn start_child(
    context: &CaseContext,
    files: &[(&str, &[String])],
) -> Result<ChildProcess, TestError> {
    let mut child = expect_ready(context, files).await?;
    child.resume().await?;
    Ok(child)
}
