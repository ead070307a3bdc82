use std::time::Duration;

use crate::{LockHolder, LockKey, Step};

/// An event of a run. More variants can be added: match with a wildcard.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The session is open.
    Connected {
        /// The database, without a password.
        database: &'a str,
    },
    /// The lock is busy. Reported after one second and then at growing intervals.
    Waiting {
        /// The lock.
        key: &'a LockKey,
        /// The time that the run has waited.
        waited: Duration,
        /// The holder, if the engine reports it.
        holder: Option<&'a LockHolder>,
    },
    /// The run acquired the lock.
    Locked {
        /// The lock.
        key: &'a LockKey,
        /// The time that the run waited for it.
        waited: Duration,
        /// The number of steps in the plan.
        steps: usize,
    },
    /// A step started.
    StepStarted {
        /// The step.
        step: &'a Step,
        /// The index of the step in the plan, from zero.
        index: usize,
        /// The number of steps in the plan.
        steps: usize,
    },
    /// A statement finished.
    Statement {
        /// The number of statements of the step that are done.
        done: u32,
        /// The number of statements of the step.
        total: u32,
    },
    /// The server sent a message: a notice, a warning, printed text.
    Notice {
        /// The severity: `NOTICE` or `WARNING`, for example.
        severity: &'a str,
        /// The text.
        message: &'a str,
    },
    /// A statement of the step did not get the lock of a table in time. The step is retried.
    Retrying {
        /// The step.
        step: &'a Step,
        /// The number of the next try, from two.
        attempt: u32,
        /// The message of the server.
        message: &'a str,
    },
    /// The server or the network ended the connection. The run reconnects.
    Reconnecting {
        /// The message of the error that ended the session.
        message: &'a str,
    },
    /// The database cannot be reached, and the call waits for it. Reported after one second and then at growing intervals.
    Unreachable {
        /// The message of the last try.
        message: &'a str,
        /// The time that the call has waited.
        waited: Duration,
    },
    /// A step finished and is committed.
    StepFinished {
        /// The step.
        step: &'a Step,
        /// The duration of the step.
        took: Duration,
    },
    /// The run is about to release the lock. It writes nothing after this event.
    Releasing {
        /// The lock.
        key: &'a LockKey,
    },
    /// The run released the lock.
    Released {
        /// The lock.
        key: &'a LockKey,
    },
}

/// Receives the events of a run. It is called on the task of the run: return quickly and do not block.
pub trait Observer: Send + Sync {
    /// Handles an event.
    fn on_event(&self, event: &Event<'_>);
}

/// An observer that ignores all events.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn on_event(&self, _: &Event<'_>) {}
}
