//! Checks that a call fails with an expected error.

use lockage_core::{ErrorKind, MigrationSet, RunError};

use crate::case_context::CaseContext;
use crate::{TestError, format_error_chain};

/// Runs migrations of which one fails, and returns the error.
pub(super) async fn expect_failing_run(
    context: &CaseContext,
    set: &MigrationSet,
) -> Result<RunError, TestError> {
    let done = context
        .with_timeout("a run that fails", context.runner(set)?.up())
        .await?;
    expect_error(
        "a run with a failing migration",
        done,
        &[ErrorKind::MigrationFailed],
    )
}

/// Returns the error of a call, which must have one of the expected kinds.
pub(super) fn expect_error<T, E>(
    call: &str,
    done: Result<T, E>,
    kinds: &[ErrorKind],
) -> Result<RunError, TestError>
where
    RunError: From<E>,
{
    match done.map_err(RunError::from) {
        Ok(_) => Err(format!("{call} succeeded; expected one of {kinds:?}").into()),
        Err(error) if kinds.contains(&error.kind()) => Ok(error),
        Err(error) => Err(format!(
            "{call}: expected one of {kinds:?}, found {}",
            format_error_chain(&error)
        )
        .into()),
    }
}
