//! A lock or a session that is lost on the server without the client's knowledge.

use lockage_core::{ErrorKind, LockKey, NoObserver};

use super::blocked_migration;
use super::expect::expect_error;
use crate::TestError;
use crate::case_context::CaseContext;

cases!("loss":
    stolen_lock_is_detected_before_next_write [StealLock],
    lock_released_by_script_stops_run [ReleaseInScript],
    lock_released_by_last_script_fails_run [ReleaseInScript],
    session_terminated_between_steps_writes_nothing [TerminateSession],
    session_terminated_mid_migration_next_run_completes [TerminateSession, Barrier],
);

/// The kinds of error after a session was terminated.
const SESSION_ENDED: &[ErrorKind] = &[ErrorKind::SessionLost, ErrorKind::LockLost];

async fn stolen_lock_is_detected_before_next_write(context: &CaseContext) -> Result<(), TestError> {
    let key = LockKey::default();
    let set = context.migrations(&[("V1__a.sql", &[context.create_table_sql("seen")])])?;
    let mut locked = context.lock(&key).await?;
    let steps = context.steps(&mut locked, &set).await?;

    context
        .with_timeout_ok(
            "stealing the lock",
            context.fixture().steal_lock(context.url(), &key),
        )
        .await?;
    ensure!(
        !context.with_timeout_ok("holds()", locked.holds()).await?,
        "holds() is true for a stolen lock"
    );
    let done = context
        .with_timeout("apply()", locked.apply(&steps[0], &NoObserver))
        .await?;
    expect_error("a step without the lock", done, &[ErrorKind::LockLost])?;
    ensure_eq!(
        context.rows("seen").await?,
        None,
        "rows of a step without the lock"
    );
    ensure_eq!(
        context.applied_versions().await?,
        [""; 0],
        "versions applied without the lock"
    );
    let done = context.with_timeout("release()", locked.release()).await?;
    expect_error("the release of a lost lock", done, &[ErrorKind::LockLost])?;
    Ok(())
}

async fn lock_released_by_script_stops_run(context: &CaseContext) -> Result<(), TestError> {
    let key = LockKey::default();
    let script = [
        context.insert_sql("seen", 1),
        context.fixture().release_lock_sql(&key)?,
    ];
    let set = context.migrations(&[
        ("V1__create.sql", &[context.create_table_sql("seen")]),
        ("V2__release.sql", &script),
        ("V3__after.sql", &[context.insert_sql("seen", 2)]),
    ])?;
    let done = context
        .with_timeout("a run that loses the lock", context.runner(&set)?.up())
        .await?;
    expect_error("a run that lost the lock", done, &[ErrorKind::LockLost])?;
    let rows = context.rows("seen").await?.unwrap_or_default();
    ensure!(
        !rows.contains(&2),
        "a migration ran after the lock was lost"
    );
    let applied = context.applied_versions().await?;
    ensure!(
        !applied.contains(&"3".to_owned()),
        "a version is recorded that was not applied"
    );
    if context.suite().backend.capabilities().transactional_ddl {
        ensure_eq!(
            rows.contains(&1),
            applied.contains(&"2".to_owned()),
            "whether script and history agree on version 2"
        );
    }
    let next = context
        .wait_for_lock("the lock that a script released", &key)
        .await?;
    context.unlock(next).await
}

async fn lock_released_by_last_script_fails_run(context: &CaseContext) -> Result<(), TestError> {
    let script = [
        context.create_table_sql("seen"),
        context.fixture().release_lock_sql(&LockKey::default())?,
    ];
    let set = context.migrations(&[("V1__release.sql", &script)])?;
    let done = context
        .with_timeout("a run that loses the lock", context.runner(&set)?.up())
        .await?;
    expect_error("a run that lost the lock", done, &[ErrorKind::LockLost])?;
    Ok(())
}

async fn session_terminated_between_steps_writes_nothing(
    context: &CaseContext,
) -> Result<(), TestError> {
    let key = LockKey::default();
    let set = context.migrations(&[("V1__a.sql", &[context.create_table_sql("seen")])])?;
    let mut locked = context.lock(&key).await?;
    let steps = context.steps(&mut locked, &set).await?;

    terminate_holder(context, &key).await?;
    let next = context
        .wait_for_lock("the lock of a terminated session", &key)
        .await?;
    let done = context
        .with_timeout("apply()", locked.apply(&steps[0], &NoObserver))
        .await?;
    expect_error("a step in a terminated session", done, SESSION_ENDED)?;
    ensure_eq!(
        context.rows("seen").await?,
        None,
        "rows of the terminated session"
    );
    ensure_eq!(
        context.applied_versions().await?,
        [""; 0],
        "versions applied by the terminated session"
    );
    context.unlock(next).await
}

async fn session_terminated_mid_migration_next_run_completes(
    context: &CaseContext,
) -> Result<(), TestError> {
    let set = blocked_migration::set(context)?;
    let barrier = context.close_barrier().await?;
    let runner = context.runner_without_limits(&set)?;
    let running = context.run_until_barrier(&*barrier, runner).await?;

    terminate_holder(context, &LockKey::default()).await?;
    let done = context
        .with_timeout("the run with the terminated session", running)
        .await??;
    expect_error("a run with a terminated session", done, SESSION_ENDED)?;
    context
        .with_timeout_ok("opening the barrier", barrier.open())
        .await?;
    blocked_migration::expect_completion(context).await
}

/// Terminates the session that holds a lock.
async fn terminate_holder(context: &CaseContext, key: &LockKey) -> Result<(), TestError> {
    let mut watcher = context.connect().await?;
    let Some(holder) = context
        .with_timeout_ok("holder()", watcher.holder(key))
        .await?
    else {
        return Err("the holder of a held lock is None".into());
    };
    context
        .with_timeout_ok("closing a session", watcher.close())
        .await?;
    context
        .with_timeout_ok(
            "terminating the session",
            context.fixture().terminate_session(context.url(), &holder),
        )
        .await
}
