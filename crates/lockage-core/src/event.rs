use std::time::Duration;

use crate::{LockHolder, LockKey, Step};

/// What a run tells while it goes on. New variants may come: match with a wildcard.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The session stands.
    Connected {
        /// The database, without a password.
        database: &'a str,
    },
    /// The lock is busy; told after one second and then at growing intervals.
    Waiting {
        /// The lock.
        key: &'a LockKey,
        /// How long the run has waited.
        waited: Duration,
        /// Who holds it, where the engine tells.
        holder: Option<&'a LockHolder>,
    },
    /// The lock is ours.
    Locked {
        /// The lock.
        key: &'a LockKey,
        /// How long it took.
        waited: Duration,
        /// How many steps the plan has.
        steps: usize,
    },
    /// A step begins.
    StepStarted {
        /// The step.
        step: &'a Step,
        /// Its place in the plan, from zero.
        index: usize,
        /// How many steps the plan has.
        steps: usize,
    },
    /// A statement is done.
    Statement {
        /// How many statements of the step are done.
        done: u32,
        /// How many there are.
        total: u32,
    },
    /// The server said something: a notice, a warning, printed text.
    Notice {
        /// How serious the server says it is: `NOTICE`, `WARNING`.
        severity: &'a str,
        /// The text.
        message: &'a str,
    },
    /// A step could not get a table's lock in time and is tried again.
    Retrying {
        /// The step.
        step: &'a Step,
        /// Which try comes now, from two.
        attempt: u32,
        /// What the server said.
        message: &'a str,
    },
    /// The server, or the way to it, went away; the run begins anew with another session.
    Reconnecting {
        /// How the session was lost.
        message: &'a str,
    },
    /// A step is done and committed.
    StepFinished {
        /// The step.
        step: &'a Step,
        /// How long it took.
        took: Duration,
    },
    /// Nothing more is written under the lock; it is about to be given back.
    Releasing {
        /// The lock.
        key: &'a LockKey,
    },
    /// The lock was given back.
    Released {
        /// The lock.
        key: &'a LockKey,
    },
}

/// Listens to a run. Called on the run's own task: return quickly and do not block.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn on_event(&self, event: &Event<'_>);
}

/// Listens to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn on_event(&self, _: &Event<'_>) {}
}
