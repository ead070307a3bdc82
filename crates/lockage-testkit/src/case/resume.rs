//! Migrations outside a transaction: what is committed stays, and the next run goes on behind it.

use lockage_core::{ErrorKind, Interrupt, State};

use super::{failing_run, fails};
use crate::TestError;
use crate::case_context::{CaseContext, POLL_INTERVAL};

cases!("resume":
    a_failed_statement_is_where_the_next_run_begins,
    an_interrupted_migration_goes_on_behind_what_is_committed [Barrier],
);

async fn a_failed_statement_is_where_the_next_run_begins(
    context: &CaseContext,
) -> Result<(), TestError> {
    let by_hand = [
        context.create_table_sql("seen"),
        context.insert_sql("seen", 1),
        context.insert_sql("missing", 1),
        context.insert_sql("seen", 2),
    ];
    let set = context.migrations(&[("V1__by_hand.sql no-transaction", &by_hand)])?;
    failing_run(context, &set).await?;
    ensure_eq!(
        context.rows("seen").await?,
        Some(vec![1]),
        "what was committed before the failure"
    );
    journal_position(context, &[State::Failed], 2).await?;

    context.create_table("missing").await?;
    let report = context
        .with_timeout_ok("the next run", context.runner(&set)?.up())
        .await?;
    ensure_eq!(
        report.applied.len(),
        1,
        "migrations that the next run reports"
    );
    ensure_eq!(context.rows("seen").await?, Some(vec![1, 2]), "the witness");
    ensure_eq!(
        context.rows("missing").await?,
        Some(vec![1]),
        "the second witness"
    );
    journal_position(context, &[State::Applied], 4).await
}

async fn an_interrupted_migration_goes_on_behind_what_is_committed(
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
    fails("an interrupted run", done, &[ErrorKind::Interrupted])?;
    journal_position(context, &[State::Failed, State::Running], 2).await?;
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
    is_done(context).await
}

/// Two statements, the barrier, one more.
pub(super) fn statements(context: &CaseContext) -> Result<[String; 4], TestError> {
    Ok([
        context.create_table_sql("seen"),
        context.insert_sql("seen", 1),
        context.fixture().barrier_sql("barrier")?,
        context.insert_sql("seen", 2),
    ])
}

/// Waits until the journal says that the barrier is the next statement.
pub(super) async fn wait_at_barrier(context: &CaseContext) -> Result<(), TestError> {
    context
        .with_timeout_ok("the journal to say that two statements are done", async {
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

/// Each of [`statements`] ran to its end once.
pub(super) async fn is_done(context: &CaseContext) -> Result<(), TestError> {
    ensure_eq!(context.rows("seen").await?, Some(vec![1, 2]), "the witness");
    journal_position(context, &[State::Applied], 4).await
}

async fn journal_position(
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
        "statements done, and in all"
    );
    Ok(())
}
