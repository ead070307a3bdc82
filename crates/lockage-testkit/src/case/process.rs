//! Replicas as processes, which die as processes do.

use lockage_core::LockKey;

use super::{long, resume};
use crate::TestError;
use crate::case_context::CaseContext;
use crate::child::{ChildMessage, ChildProcess, ChildRole};
use crate::exclusivity::ExclusivityProbe;

cases!("process":
    one_process_holds_it_at_a_time [Processes],
    a_killed_holder_frees_the_lock [Processes],
    killed_mid_migration_the_next_run_completes_it [Processes, Barrier],
    killed_mid_statement_frees_the_lock [Processes, Barrier, NoticesDeadClient],
    killed_outside_a_transaction_the_next_run_resumes [Processes, Barrier],
    a_first_run_of_many_applies_each_migration_once [Processes],
);

async fn one_process_holds_it_at_a_time(context: &CaseContext) -> Result<(), TestError> {
    for key in [LockKey::default(), LockKey::named("command")?] {
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
                "the child to give the lock back",
                child.expect(ChildMessage::Released),
            )
            .await?;
        let locked = context.lock_session(waiter, &key).await?;
        context.unlock(locked).await?;
    }
    Ok(())
}

async fn a_killed_holder_frees_the_lock(context: &CaseContext) -> Result<(), TestError> {
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
        .wait_for_lock("the lock of a process that was killed", &key)
        .await?;
    context.unlock(next).await
}

async fn killed_mid_migration_the_next_run_completes_it(
    context: &CaseContext,
) -> Result<(), TestError> {
    killed_at_barrier(context, false).await
}

async fn killed_mid_statement_frees_the_lock(context: &CaseContext) -> Result<(), TestError> {
    killed_at_barrier(context, true).await
}

async fn killed_at_barrier(
    context: &CaseContext,
    free_while_closed: bool,
) -> Result<(), TestError> {
    let scripts = long::scripts(context)?;
    let files = long::files(&scripts);
    let barrier = context.close_barrier().await?;
    let child = started(context, &files).await?;
    context
        .with_timeout_ok("the migration to reach the barrier", barrier.wait_reached())
        .await?;
    context
        .with_timeout_ok("killing the child", child.kill())
        .await?;
    if free_while_closed {
        let what = "the lock of a process that was killed, while its statement stands";
        let next = context.wait_for_lock(what, &LockKey::default()).await?;
        context.unlock(next).await?;
    }
    context
        .with_timeout_ok("opening the barrier", barrier.open())
        .await?;
    long::completes(context).await
}

async fn killed_outside_a_transaction_the_next_run_resumes(
    context: &CaseContext,
) -> Result<(), TestError> {
    let statements = resume::statements(context)?;
    let files: [(&str, &[String]); 1] = [("V1__by_hand.sql no-transaction", &statements)];
    let barrier = context.close_barrier().await?;
    let child = started(context, &files).await?;
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
    resume::is_done(context).await
}

async fn a_first_run_of_many_applies_each_migration_once(
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
    let mut children = Vec::new();
    for _ in 0..context.suite().processes {
        children.push(ready(context, &files).await?);
    }
    for child in &mut children {
        child.resume().await?;
    }
    let mut all_applied = Vec::new();
    for child in &mut children {
        match context
            .with_timeout_ok("every process to be done", child.receive())
            .await?
        {
            ChildMessage::Done {
                outcome, applied, ..
            } => {
                ensure_eq!(
                    outcome,
                    if applied.is_empty() {
                        "up_to_date"
                    } else {
                        "applied"
                    },
                    "the outcome of a process that applied {applied:?}"
                );
                all_applied.extend(applied);
            }
            said => return Err(format!("a process failed: {said:?}").into()),
        }
    }
    all_applied.sort();
    ensure_eq!(
        all_applied,
        ["1", "2", "3", "4"],
        "what all processes report as applied"
    );
    ensure!(
        !ExclusivityProbe::detected_overlap(&context.path("holder")),
        "two processes held the lock at once"
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

/// A replica that stands ready to run `up`.
async fn ready(
    context: &CaseContext,
    files: &[(&str, &[String])],
) -> Result<ChildProcess, TestError> {
    let role = ChildRole::Up {
        folder: context.migration_dir(files)?,
        holder_file: context.path("holder"),
    };
    let mut child = context.child(role, &LockKey::default()).await?;
    context
        .with_timeout_ok("the child to be ready", child.expect(ChildMessage::Ready))
        .await?;
    Ok(child)
}

/// A replica that runs `up`.
async fn started(
    context: &CaseContext,
    files: &[(&str, &[String])],
) -> Result<ChildProcess, TestError> {
    let mut child = ready(context, files).await?;
    child.resume().await?;
    Ok(child)
}
