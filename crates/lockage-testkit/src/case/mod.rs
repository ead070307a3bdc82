//! The cases, in one module for each topic. A case runs migrations that insert rows, and checks what the fixture reads from the database.
//! It never relies only on what the backend reports.

/// Fails the case if a condition is false.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+).into());
        }
    };
}

/// Fails the case if two values differ.
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

/// Defines the cases of a module: their functions, with the abilities that they need in brackets.
macro_rules! cases {
    ($topic:literal: $($case:ident $([$($ability:ident),+])?),+ $(,)?) => {
        pub(super) const CASES: &[crate::Case] = &[$(crate::Case::new(
            concat!($topic, "::", stringify!($case)),
            &[$($(crate::Ability::$ability),+)?],
            |context| Box::pin($case(context)),
        )),+];
    };
}

mod blocked_migration;
mod expect;
mod history;
mod holder;
mod key;
mod limit;
mod lock;
mod loss;
mod migrate;
mod process;
mod race;
mod resume;
mod session;
mod stop;
mod undo;

use crate::Case;

/// All cases, by topic.
pub(crate) const ALL: &[&[Case]] = &[
    lock::CASES,
    key::CASES,
    holder::CASES,
    loss::CASES,
    history::CASES,
    migrate::CASES,
    session::CASES,
    limit::CASES,
    undo::CASES,
    resume::CASES,
    stop::CASES,
    race::CASES,
    process::CASES,
];
