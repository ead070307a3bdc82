//! The reported holder of the lock, and the error of a run that times out.

use std::time::Duration;

use lockage_core::{ErrorKind, LockHolder, LockKey, LockWait, Report, RunError};

use super::expect::expect_error;
use crate::TestError;
use crate::case_context::CaseContext;

cases!("holder":
    held_lock_reports_holder_and_free_lock_none,
    lock_timeout_names_holder_and_setting,
    waiter_times_out_during_long_migration [Barrier],
);

async fn held_lock_reports_holder_and_free_lock_none(
    context: &CaseContext,
) -> Result<(), TestError> {
    let key = LockKey::default();
    let mut watcher = context.connect().await?;
    let holder = context
        .with_timeout_ok("holder()", watcher.holder(&key))
        .await?;
    ensure_eq!(holder, None, "the holder of a free lock");
    let locked = context.lock(&key).await?;
    let holder = context
        .with_timeout_ok("holder()", watcher.holder(&key))
        .await?;
    ensure!(
        holder.as_ref().is_some_and(describes_holder),
        "the holder of a held lock is {holder:?}"
    );
    let other = context
        .with_timeout_ok("holder()", watcher.holder(&LockKey::id(7)))
        .await?;
    ensure_eq!(other, None, "the holder of another free lock");
    context.unlock(locked).await?;
    let holder = context
        .with_timeout_ok("holder()", watcher.holder(&key))
        .await?;
    ensure_eq!(holder, None, "the holder of a released lock");
    ensure!(
        context.tables().await?.is_empty(),
        "holder() created a table"
    );
    context
        .with_timeout_ok("closing a session", watcher.close())
        .await
}

/// Returns whether a holder has enough information to identify it.
fn describes_holder(holder: &LockHolder) -> bool {
    holder.session.is_some() || holder.host.is_some() || holder.application.is_some()
}

async fn lock_timeout_names_holder_and_setting(context: &CaseContext) -> Result<(), TestError> {
    let set = context.migrations(&[("V1__a.sql", &[context.create_table_sql("seen")])])?;
    let locked = context.lock(&LockKey::default()).await?;
    for wait in [LockWait::Never, LockWait::For(Duration::from_millis(200))] {
        let done = context
            .with_timeout(
                "a run that times out",
                context.runner(&set)?.wait(wait).up(),
            )
            .await?;
        expect_timeout(context, done).await?;
    }
    ensure!(
        context.tables().await?.is_empty(),
        "a run without the lock created a table"
    );
    context.unlock(locked).await
}

async fn waiter_times_out_during_long_migration(context: &CaseContext) -> Result<(), TestError> {
    let create = [
        context.create_table_sql("seen"),
        context.insert_sql("seen", 1),
    ];
    let blocked = [
        context.insert_sql("seen", 2),
        context.fixture().barrier_sql("barrier")?,
    ];
    let set = context.migrations(&[("V1__create.sql", &create), ("V2__blocked.sql", &blocked)])?;
    let barrier = context.close_barrier().await?;
    let runner = context.runner_without_limits(&set)?;
    let running = context.run_until_barrier(&*barrier, runner).await?;

    let waiter = context
        .runner(&set)?
        .wait(LockWait::For(Duration::from_millis(200)));
    let done = context
        .with_timeout("a run that times out", waiter.up())
        .await?;
    expect_timeout(context, done).await?;
    running.abort();
    let _ = running.await;

    context
        .with_timeout_ok("opening the barrier", barrier.open())
        .await?;
    context
        .with_timeout_ok("the next run", context.runner(&set)?.up())
        .await?;
    ensure_eq!(
        context.rows("seen").await?,
        Some(vec![1, 2]),
        "the inserted rows"
    );
    Ok(())
}

/// Checks that a run timed out, with an error that names the holder and the setting of the timeout.
async fn expect_timeout(
    context: &CaseContext,
    done: Result<Report, RunError>,
) -> Result<(), TestError> {
    let error = expect_error(
        "a run while another session holds the lock",
        done,
        &[ErrorKind::LockTimeout],
    )?;
    let mut watcher = context.connect().await?;
    let holder = context
        .with_timeout_ok("holder()", watcher.holder(&LockKey::default()))
        .await?;
    context
        .with_timeout_ok("closing a session", watcher.close())
        .await?;
    let Some(holder) = holder else {
        return Err("the holder of a held lock is None".into());
    };
    for word in [&holder.session, &holder.host, &holder.application]
        .into_iter()
        .flatten()
    {
        if error.message().contains(word.as_str()) {
            ensure!(
                error.hint().is_some_and(|hint| hint.contains("--wait")),
                "the timeout does not name the setting: {error:?}"
            );
            return Ok(());
        }
    }
    Err(format!("the timeout does not name the holder, {holder:?}: {error}").into())
}
