//! Two migrations for cases in which a run ends early: the first creates a table, and the second blocks at a barrier.

use lockage_core::{LockKey, MigrationSet};

use crate::case_context::CaseContext;
use crate::{Barrier, TestError};

/// Returns the statements of both migrations.
pub(super) fn scripts(context: &CaseContext) -> Result<[Vec<String>; 2], TestError> {
    let create = vec![
        context.create_table_sql("seen"),
        context.insert_sql("seen", 1),
    ];
    let blocked = vec![
        context.insert_sql("seen", 2),
        context.fixture().barrier_sql("barrier")?,
        context.insert_sql("seen", 3),
    ];
    Ok([create, blocked])
}

/// Returns both migrations as files.
pub(super) fn files([create, blocked]: &[Vec<String>; 2]) -> [(&str, &[String]); 2] {
    [("V1__create.sql", create), ("V2__blocked.sql", blocked)]
}

/// Returns both migrations as a set.
pub(super) fn set(context: &CaseContext) -> Result<MigrationSet, TestError> {
    context.migrations(&files(&scripts(context)?))
}

/// Checks that the lock is released and nothing is half applied while the barrier is closed. Then opens it and checks that the next run
/// completes.
pub(super) async fn expect_clean_stop(
    context: &CaseContext,
    barrier: Box<dyn Barrier>,
) -> Result<(), TestError> {
    let what = "the lock of the stopped run";
    let next = context.wait_for_lock(what, &LockKey::default()).await?;
    ensure_eq!(
        context.applied_versions().await?,
        ["1"],
        "applied versions after the stop"
    );
    if context.suite().backend.capabilities().transactional_ddl {
        ensure_eq!(
            context.rows("seen").await?,
            Some(vec![1]),
            "the inserted rows after the stop"
        );
    }
    context.unlock(next).await?;
    context
        .with_timeout_ok("opening the barrier", barrier.open())
        .await?;
    expect_completion(context).await
}

/// Checks that the next run applies both migrations, with the barrier open.
pub(super) async fn expect_completion(context: &CaseContext) -> Result<(), TestError> {
    let runner = context.runner_without_limits(&set(context)?)?;
    context.with_timeout_ok("the next run", runner.up()).await?;
    ensure_eq!(
        context.rows("seen").await?,
        Some(vec![1, 2, 3]),
        "the inserted rows"
    );
    ensure_eq!(
        context.applied_versions().await?,
        ["1", "2"],
        "applied versions"
    );
    Ok(())
}
