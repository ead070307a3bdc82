//! A lock, or a session, that gets lost on the server side while the client believes in it.

use lockage_core::{ErrorKind, LockKey, NoObserver};

use super::{fails, long};
use crate::TestError;
use crate::case_context::CaseContext;

cases!("loss":
    a_lock_taken_away_is_noticed_before_the_next_write [TakeAwayLock],
    a_lock_given_up_by_a_script_stops_the_run [GiveUpLock],
    a_lock_given_up_by_the_last_script_is_no_success [GiveUpLock],
    a_session_ended_between_steps_writes_nothing [EndSession],
    a_session_ended_mid_migration_leaves_it_to_the_next_run [EndSession, Barrier],
);

/// How a session that was ended may show.
const SESSION_ENDED: &[ErrorKind] = &[ErrorKind::SessionLost, ErrorKind::LockLost];

async fn a_lock_taken_away_is_noticed_before_the_next_write(
    context: &CaseContext,
) -> Result<(), TestError> {
    let key = LockKey::default();
    let set = context.migrations(&[("V1__a.sql", &[context.create_table_sql("seen")])])?;
    let mut locked = context.lock(&key).await?;
    let steps = context.steps(&mut locked, &set).await?;

    context
        .with_timeout_ok(
            "taking the lock away",
            context.fixture().steal_lock(context.url(), &key),
        )
        .await?;
    ensure!(
        !context.with_timeout_ok("holds()", locked.holds()).await?,
        "the session is told that it holds a lock that was taken away"
    );
    let done = context
        .with_timeout("apply()", locked.apply(&steps[0], &NoObserver))
        .await?;
    fails("a step without the lock", done, &[ErrorKind::LockLost])?;
    ensure_eq!(
        context.rows("seen").await?,
        None,
        "what a step without the lock wrote"
    );
    ensure_eq!(
        context.applied_versions().await?,
        [""; 0],
        "versions applied without the lock"
    );
    let done = context.with_timeout("release()", locked.release()).await?;
    fails("the release of a lost lock", done, &[ErrorKind::LockLost])?;
    Ok(())
}

async fn a_lock_given_up_by_a_script_stops_the_run(context: &CaseContext) -> Result<(), TestError> {
    let key = LockKey::default();
    let give_up = [
        context.insert_sql("seen", 1),
        context.fixture().release_lock_sql(&key)?,
    ];
    let set = context.migrations(&[
        ("V1__create.sql", &[context.create_table_sql("seen")]),
        ("V2__give_up.sql", &give_up),
        ("V3__after.sql", &[context.insert_sql("seen", 2)]),
    ])?;
    let done = context
        .with_timeout("a run that loses the lock", context.runner(&set)?.up())
        .await?;
    fails("a run that lost the lock", done, &[ErrorKind::LockLost])?;
    let rows = context.rows("seen").await?.unwrap_or_default();
    ensure!(
        !rows.contains(&2),
        "a migration ran after the lock was lost"
    );
    let applied = context.applied_versions().await?;
    ensure!(
        !applied.contains(&"3".to_owned()),
        "a version is recorded that did not run"
    );
    if context.suite().backend.capabilities().transactional_ddl {
        ensure_eq!(
            rows.contains(&1),
            applied.contains(&"2".to_owned()),
            "whether script and history agree on version 2"
        );
    }
    let next = context
        .wait_for_lock("the lock that was given up", &key)
        .await?;
    context.unlock(next).await
}

async fn a_lock_given_up_by_the_last_script_is_no_success(
    context: &CaseContext,
) -> Result<(), TestError> {
    let give_up = [
        context.create_table_sql("seen"),
        context.fixture().release_lock_sql(&LockKey::default())?,
    ];
    let set = context.migrations(&[("V1__give_up.sql", &give_up)])?;
    let done = context
        .with_timeout("a run that loses the lock", context.runner(&set)?.up())
        .await?;
    fails("a run that lost the lock", done, &[ErrorKind::LockLost])?;
    Ok(())
}

async fn a_session_ended_between_steps_writes_nothing(
    context: &CaseContext,
) -> Result<(), TestError> {
    let key = LockKey::default();
    let set = context.migrations(&[("V1__a.sql", &[context.create_table_sql("seen")])])?;
    let mut locked = context.lock(&key).await?;
    let steps = context.steps(&mut locked, &set).await?;

    end_holder(context, &key).await?;
    let next = context
        .wait_for_lock("the lock of a session that was ended", &key)
        .await?;
    let done = context
        .with_timeout("apply()", locked.apply(&steps[0], &NoObserver))
        .await?;
    fails("a step in a session that was ended", done, SESSION_ENDED)?;
    ensure_eq!(
        context.rows("seen").await?,
        None,
        "what the ended session wrote"
    );
    ensure_eq!(
        context.applied_versions().await?,
        [""; 0],
        "versions applied by the ended session"
    );
    context.unlock(next).await
}

async fn a_session_ended_mid_migration_leaves_it_to_the_next_run(
    context: &CaseContext,
) -> Result<(), TestError> {
    let set = long::set(context)?;
    let barrier = context.close_barrier().await?;
    let runner = context.runner_without_limits(&set)?;
    let running = context.run_until_barrier(&*barrier, runner).await?;

    end_holder(context, &LockKey::default()).await?;
    let done = context
        .with_timeout("the run whose session was ended", running)
        .await??;
    fails("a run whose session was ended", done, SESSION_ENDED)?;
    context
        .with_timeout_ok("opening the barrier", barrier.open())
        .await?;
    long::completes(context).await
}

async fn end_holder(context: &CaseContext, key: &LockKey) -> Result<(), TestError> {
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
            "ending the session",
            context.fixture().terminate_session(context.url(), &holder),
        )
        .await
}
