//! The cases, a room each. A case makes evidence, through migrations that append rows, and judges by what the fixture sees in the
//! database, never by what the backend says alone.

/// Fails the case when something is not so.
macro_rules! ensure {
    ($so:expr, $($why:tt)+) => {
        if !$so {
            return Err(format!($($why)+).into());
        }
    };
}

/// Fails the case when something is not as expected.
macro_rules! ensure_eq {
    ($found:expr, $expected:expr, $($what:tt)+) => {
        match (&$found, &$expected) {
            (found, expected) => ensure!(
                *found == *expected,
                "{}: expected {expected:?}, found {found:?}",
                format_args!($($what)+)
            ),
        }
    };
}

/// The cases of a room: their names, and what they need in brackets.
macro_rules! cases {
    ($room:literal: $($case:ident $([$($need:ident),+])?),+ $(,)?) => {
        pub(super) const CASES: &[crate::Case] = &[$(crate::Case::new(
            concat!($room, "::", stringify!($case)),
            &[$($(crate::Ability::$need),+)?],
            |context| Box::pin($case(context)),
        )),+];
    };
}

mod history;
mod holder;
mod key;
mod lock;
mod long;
mod loss;
mod migrate;
mod process;
mod race;
mod resume;
mod stop;
mod undo;

use lockage_core::{ErrorKind, MigrationSet, RunError};

use crate::case_context::CaseContext;
use crate::{Case, TestError};

/// All cases, by room.
pub(crate) const ALL: &[&[Case]] = &[
    lock::CASES,
    key::CASES,
    holder::CASES,
    loss::CASES,
    history::CASES,
    migrate::CASES,
    undo::CASES,
    resume::CASES,
    stop::CASES,
    race::CASES,
    process::CASES,
];

/// The error of a run that has a failing migration.
async fn failing_run(context: &CaseContext, set: &MigrationSet) -> Result<RunError, TestError> {
    let done = context
        .with_timeout("a run that fails", context.runner(set)?.up())
        .await?;
    fails(
        "a run with a failing migration",
        done,
        &[ErrorKind::MigrationFailed],
    )
}

/// The error of something that must fail, and must fail in one of these ways.
fn fails<T, E>(what: &str, done: Result<T, E>, ways: &[ErrorKind]) -> Result<RunError, TestError>
where
    RunError: From<E>,
{
    match done.map_err(RunError::from) {
        Ok(_) => Err(format!("{what} succeeded; expected one of {ways:?}").into()),
        Err(error) if ways.contains(&error.kind()) => Ok(error),
        Err(error) => Err(format!(
            "{what}: expected one of {ways:?}, found {}",
            crate::format_error_chain(&error)
        )
        .into()),
    }
}
