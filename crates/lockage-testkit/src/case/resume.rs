//! Migrations outside a transaction: committed statements stay, and the next run resumes after them.

use lockage_core::{ErrorKind, Interrupt, State};

use super::expect::{expect_error, expect_failing_run};
use crate::TestError;
use crate::case_context::{CaseContext, POLL_INTERVAL};

cases!("resume":
    next_run_resumes_at_failed_statement,
    interrupted_migration_resumes_after_committed_statements [Barrier],
);

async fn next_run_resumes_at_failed_statement(context: &CaseContext) -> Result<(), TestError> {
    let by_hand = [
        context.create_table_sql("seen"),
        context.insert_sql("seen", 1),
        context.insert_sql("missing", 1),
        context.insert_sql("seen", 2),
    ];
    let set = context.migrations(&[("V1__by_hand.sql no-transaction", &by_hand)])?;
    expect_failing_run(context, &set).await?;
    ensure_eq!(
        context.rows("seen").await?,
        Some(vec![1]),
        "rows that were committed before the failure"
    );
    expect_journal_position(context, &[State::Failed], 2).await?;

    context.create_table("missing").await?;
    let report = context
        .with_timeout_ok("the next run", context.runner(&set)?.up())
        .await?;
    ensure_eq!(
        report.applied.len(),
        1,
        "migrations that the next run reports"
    );
    ensure_eq!(
        context.rows("seen").await?,
        Some(vec![1, 2]),
        "the inserted rows"
    );
    ensure_eq!(
        context.rows("missing").await?,
        Some(vec![1]),
        "the rows of the second table"
    );
    expect_journal_position(context, &[State::Applied], 4).await
}

async fn interrupted_migration_resumes_after_committed_statements(
    context: &CaseContext,
) -> Result<(), TestError> {
    let set = context.migrations(&[("V1__by_hand.sql no-transaction", &statements(context)?)])?;
    let barrier = context.close_barrier().await?;
    let interrupt = Interrupt::new();
    let runner = context
        .runner_without_limits(&set)?
        .interrupt(interrupt.clone());
    let running = tokio::spawn(async move { runner.up().await });
    wait_at_barrier(context).await?;
    interrupt.trigger();
    let done = context
        .with_timeout("the interrupted run", running)
        .await??;
    expect_error("an interrupted run", done, &[ErrorKind::Interrupted])?;
    expect_journal_position(context, &[State::Failed, State::Running], 2).await?;
    let next = context
        .wait_for_lock("the lock of the interrupted run", &Default::default())
        .await?;
    context.unlock(next).await?;

    context
        .with_timeout_ok("opening the barrier", barrier.open())
        .await?;
    context
        .with_timeout_ok("the next run", context.runner_without_limits(&set)?.up())
        .await?;
    expect_completion(context).await
}

/// Returns two statements, the barrier and a third statement.
pub(super) fn statements(context: &CaseContext) -> Result<[String; 4], TestError> {
    Ok([
        context.create_table_sql("seen"),
        context.insert_sql("seen", 1),
        context.fixture().barrier_sql("barrier")?,
        context.insert_sql("seen", 2),
    ])
}

/// Waits until the journal records two statements, so that the barrier is the next one.
pub(super) async fn wait_at_barrier(context: &CaseContext) -> Result<(), TestError> {
    context
        .with_timeout_ok("the journal to record two statements", async {
            while !context
                .history()
                .await?
                .rows
                .iter()
                .any(|row| row.state == State::Running && row.statements_done == 2)
            {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
            Ok::<(), TestError>(())
        })
        .await
}

/// Checks that each of [`statements`] ran once.
pub(super) async fn expect_completion(context: &CaseContext) -> Result<(), TestError> {
    ensure_eq!(
        context.rows("seen").await?,
        Some(vec![1, 2]),
        "the inserted rows"
    );
    expect_journal_position(context, &[State::Applied], 4).await
}

/// Checks the state and the number of completed statements in the only history row.
async fn expect_journal_position(
    context: &CaseContext,
    states: &[State],
    done: u32,
) -> Result<(), TestError> {
    let history = context.history().await?;
    let [row] = &history.rows[..] else {
        return Err(format!("one row expected in the history, found {:?}", history.rows).into());
    };
    ensure!(
        states.contains(&row.state),
        "the state: expected one of {states:?}, found {:?}",
        row.state
    );
    ensure_eq!(
        (row.statements_done, row.statements_total),
        (done, 4),
        "completed and total statements"
    );
    Ok(())
}
