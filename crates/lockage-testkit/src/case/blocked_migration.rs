//! Two migrations for cases in which a run ends early: the first creates a table, and the second blocks at a barrier.

use lockage_core::MigrationSet;

use crate::TestError;
use crate::case_context::CaseContext;

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
