//! Runs that must fail, and the contents of their errors.

use std::fmt::Debug;

use lockage_core::{Error, ErrorKind, Runner};
use lockage_testkit::TestError;

use crate::test_database::TestDatabase;

/// Runs `up`, which must fail with this kind of error.
pub(crate) async fn expect_error(runner: Runner, kind: ErrorKind) -> Result<Error, TestError> {
    error_of(runner.up().await, kind)
}

/// Returns the line of an error's location.
pub(crate) fn error_line(error: &Error) -> Option<u32> {
    error.location()?.line
}

/// Returns whether the hint of an error contains a text.
pub(crate) fn hint_contains(error: &Error, part: &str) -> bool {
    error.hint().is_some_and(|hint| hint.contains(part))
}

/// Returns whether the context of an error has a value that contains a text.
pub(crate) fn context_contains(error: &Error, key: &str, part: &str) -> bool {
    error
        .context()
        .any(|(found, value)| found == key && value.contains(part))
}

/// Returns the error of a command that must fail with this kind of error.
pub(crate) fn error_of<T: Debug>(
    outcome: Result<T, impl Into<Error>>,
    kind: ErrorKind,
) -> Result<Error, TestError> {
    match outcome {
        Ok(value) => Err(format!("the command succeeded: {value:?}").into()),
        Err(error) => {
            let error = error.into();
            if error.kind() == kind {
                Ok(error)
            } else {
                Err(error.into())
            }
        }
    }
}

/// Runs a database's first migration, which must fail with this kind of error.
pub(crate) async fn script_error(
    database: &TestDatabase,
    script: &str,
    kind: ErrorKind,
) -> Result<Error, TestError> {
    expect_error(database.runner(&[("V1__a.sql", script)])?, kind).await
}
