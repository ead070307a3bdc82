//! Runs that are dropped or interrupted.

use std::pin::pin;
use std::task::Poll;

use lockage_core::{ErrorKind, Interrupt, LockKey};

use super::blocked_migration;
use super::expect::expect_error;
use crate::TestError;
use crate::case_context::CaseContext;

cases!("stop":
    run_dropped_mid_migration_releases_lock [Barrier],
    interrupted_run_fails_and_releases_lock [Barrier],
    try_lock_dropped_at_any_await_leaves_no_lock,
    run_dropped_at_any_await_leaves_nothing_half_applied [TransactionalDdl],
);

async fn run_dropped_mid_migration_releases_lock(context: &CaseContext) -> Result<(), TestError> {
    let set = blocked_migration::set(context)?;
    let barrier = context.close_barrier().await?;
    let runner = context.runner_without_limits(&set)?;
    let running = context.run_until_barrier(&*barrier, runner).await?;
    running.abort();
    ensure!(
        running.await.is_err_and(|error| error.is_cancelled()),
        "the run ended before it was dropped"
    );
    blocked_migration::expect_clean_stop(context, barrier).await
}

async fn interrupted_run_fails_and_releases_lock(context: &CaseContext) -> Result<(), TestError> {
    let set = blocked_migration::set(context)?;
    let barrier = context.close_barrier().await?;
    let interrupt = Interrupt::new();
    let runner = context
        .runner_without_limits(&set)?
        .interrupt(interrupt.clone());
    let running = context.run_until_barrier(&*barrier, runner).await?;
    interrupt.trigger();
    let done = context
        .with_timeout("the interrupted run", running)
        .await??;
    let error = expect_error("an interrupted run", done, &[ErrorKind::Interrupted])?;
    let applied = error.report().map(|report| report.applied.len());
    ensure_eq!(
        applied,
        Some(1),
        "migrations that the error reports as applied"
    );
    blocked_migration::expect_clean_stop(context, barrier).await
}

async fn try_lock_dropped_at_any_await_leaves_no_lock(
    context: &CaseContext,
) -> Result<(), TestError> {
    let key = LockKey::default();
    for polls in 1.. {
        let session = context.connect().await?;
        let what = format!("a try_lock() dropped after {polls} polls");
        let outcome = context
            .with_timeout(&what, poll_n_times(polls, session.try_lock(&key)))
            .await?;
        let was_ready = outcome.is_some();
        drop(outcome.transpose()?);
        let next = context
            .wait_for_lock(&format!("the lock after {what}"), &key)
            .await?;
        context.unlock(next).await?;
        if was_ready {
            break;
        }
    }
    Ok(())
}

async fn run_dropped_at_any_await_leaves_nothing_half_applied(
    context: &CaseContext,
) -> Result<(), TestError> {
    let mut files = vec![(
        "V1__create.sql".to_owned(),
        vec![context.create_table_sql("seen")],
    )];
    let set_of = |files: &[(String, Vec<String>)]| {
        let files: Vec<_> = files
            .iter()
            .map(|(name, text)| (name.as_str(), &text[..]))
            .collect();
        context.migrations(&files)
    };
    for polls in 1.. {
        let n = files.len() as i64 + 1;
        files.push((
            format!("V{n}__more.sql"),
            vec![
                context.insert_sql("seen", n),
                context.insert_sql("seen", -n),
            ],
        ));
        let runner = context.runner(&set_of(&files)?)?;
        let what = format!("a run dropped after {polls} polls");
        if let Some(done) = context
            .with_timeout(&what, poll_n_times(polls, runner.up()))
            .await?
        {
            done?;
            break;
        }
    }
    let runner = context.runner(&set_of(&files)?)?;
    context.with_timeout_ok("the last run", runner.up()).await?;
    let last = files.len() as i64;
    let expected: Vec<i64> = (-last..=last).filter(|n| !(-1..=1).contains(n)).collect();
    ensure_eq!(
        context.rows("seen").await?,
        Some(expected),
        "the inserted rows"
    );
    let versions: Vec<String> = (1..=last).map(|n| n.to_string()).collect();
    ensure_eq!(
        context.applied_versions().await?,
        versions,
        "applied versions"
    );
    Ok(())
}

/// Polls a future at most `times` times, whenever it wakes its task, and then drops it. Returns its result if it is ready.
async fn poll_n_times<T>(times: u32, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut left = times;
    std::future::poll_fn(move |context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => {
            left -= 1;
            if left == 0 {
                Poll::Ready(None)
            } else {
                Poll::Pending
            }
        }
    })
    .await
}
