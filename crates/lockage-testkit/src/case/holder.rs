//! Who holds the lock, and what a waiter is told.

use std::time::Duration;

use lockage_core::{Error, ErrorKind, LockHolder, LockKey, LockWait};

use super::fails;
use crate::TestError;
use crate::case_context::CaseContext;

cases!("holder":
    told_while_held_and_none_when_free,
    a_waiter_without_patience_is_told_whom_it_waits_for,
    a_migration_longer_than_the_patience_is_a_timeout_not_an_unlocked_run [Barrier],
);

async fn told_while_held_and_none_when_free(context: &CaseContext) -> Result<(), TestError> {
    let key = LockKey::default();
    let mut watcher = context.connect().await?;
    let holder = context
        .with_timeout_ok("holder()", watcher.holder(&key))
        .await?;
    ensure_eq!(holder, None, "the holder of a lock that nobody took");
    let locked = context.lock(&key).await?;
    let holder = context
        .with_timeout_ok("holder()", watcher.holder(&key))
        .await?;
    ensure!(
        holder.as_ref().is_some_and(describes_holder),
        "a held lock has the holder {holder:?}"
    );
    let other = context
        .with_timeout_ok("holder()", watcher.holder(&LockKey::id(7)))
        .await?;
    ensure_eq!(other, None, "the holder of another lock that nobody took");
    context.unlock(locked).await?;
    let holder = context
        .with_timeout_ok("holder()", watcher.holder(&key))
        .await?;
    ensure_eq!(holder, None, "the holder of a lock that was given back");
    ensure!(
        context.tables().await?.is_empty(),
        "asking for the holder made a table"
    );
    context
        .with_timeout_ok("closing a session", watcher.close())
        .await
}

/// Enough to find the holder by.
fn describes_holder(holder: &LockHolder) -> bool {
    holder.session.is_some() || holder.host.is_some() || holder.application.is_some()
}

async fn a_waiter_without_patience_is_told_whom_it_waits_for(
    context: &CaseContext,
) -> Result<(), TestError> {
    let set = context.migrations(&[("V1__a.sql", &[context.create_table_sql("seen")])])?;
    let locked = context.lock(&LockKey::default()).await?;
    for wait in [LockWait::Never, LockWait::For(Duration::from_millis(200))] {
        let done = context
            .with_timeout(
                "a run that waits in vain",
                context.runner(&set)?.wait(wait).up(),
            )
            .await?;
        is_timeout(context, done.map(|_| ())).await?;
    }
    ensure!(
        context.tables().await?.is_empty(),
        "a run without the lock made a table"
    );
    context.unlock(locked).await
}

async fn a_migration_longer_than_the_patience_is_a_timeout_not_an_unlocked_run(
    context: &CaseContext,
) -> Result<(), TestError> {
    let create = [
        context.create_table_sql("seen"),
        context.insert_sql("seen", 1),
    ];
    let long = [
        context.insert_sql("seen", 2),
        context.fixture().barrier_sql("barrier")?,
    ];
    let set = context.migrations(&[("V1__create.sql", &create), ("V2__long.sql", &long)])?;
    let barrier = context.close_barrier().await?;
    let holder = context.runner_without_limits(&set)?;
    let running = context.run_until_barrier(&*barrier, holder).await?;

    let hasty = context
        .runner(&set)?
        .wait(LockWait::For(Duration::from_millis(200)));
    let done = context
        .with_timeout("a run that waits in vain", hasty.up())
        .await?;
    is_timeout(context, done.map(|_| ())).await?;
    running.abort();
    let _ = running.await;

    context
        .with_timeout_ok("opening the barrier", barrier.open())
        .await?;
    context
        .with_timeout_ok("the next run", context.runner(&set)?.up())
        .await?;
    ensure_eq!(context.rows("seen").await?, Some(vec![1, 2]), "the witness");
    Ok(())
}

/// A timeout that names the holder and the setting that raises it.
async fn is_timeout(context: &CaseContext, done: Result<(), Error>) -> Result<(), TestError> {
    let error = fails(
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
