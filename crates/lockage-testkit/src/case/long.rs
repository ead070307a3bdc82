//! A migration that stands at a barrier in its middle, behind one that makes a table: for cases in which the run ends there.

use lockage_core::MigrationSet;

use crate::TestError;
use crate::case_context::CaseContext;

/// The statements of the two.
pub(super) fn scripts(context: &CaseContext) -> Result<[Vec<String>; 2], TestError> {
    let create = vec![
        context.create_table_sql("seen"),
        context.insert_sql("seen", 1),
    ];
    let long = vec![
        context.insert_sql("seen", 2),
        context.fixture().barrier_sql("barrier")?,
        context.insert_sql("seen", 3),
    ];
    Ok([create, long])
}

/// The same as files.
pub(super) fn files([create, long]: &[Vec<String>; 2]) -> [(&str, &[String]); 2] {
    [("V1__create.sql", create), ("V2__long.sql", long)]
}

/// The same as migrations.
pub(super) fn set(context: &CaseContext) -> Result<MigrationSet, TestError> {
    context.migrations(&files(&scripts(context)?))
}

/// With the barrier open, the next run brings both to their end.
pub(super) async fn completes(context: &CaseContext) -> Result<(), TestError> {
    context
        .with_timeout_ok(
            "the next run",
            context.runner_without_limits(&set(context)?)?.up(),
        )
        .await?;
    ensure_eq!(
        context.rows("seen").await?,
        Some(vec![1, 2, 3]),
        "the witness"
    );
    ensure_eq!(
        context.applied_versions().await?,
        ["1", "2"],
        "applied versions"
    );
    Ok(())
}
