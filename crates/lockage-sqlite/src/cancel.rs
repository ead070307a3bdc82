//! Interrupts the statement that runs on the worker thread, on request or at a deadline.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use lockage_core::{Canceller, Result};

/// The shared flag that SQLite's progress handler reads while a statement runs.
#[derive(Debug, Default)]
pub(crate) struct InterruptFlag {
    triggered: AtomicBool,
    deadline: Mutex<Option<Instant>>,
}

impl InterruptFlag {
    /// Interrupts the running statement, or the next one.
    pub(crate) fn trigger(&self) {
        self.triggered.store(true, Ordering::Relaxed);
    }

    /// Allows statements to run again.
    pub(crate) fn reset(&self) {
        self.triggered.store(false, Ordering::Relaxed);
    }

    pub(crate) fn is_triggered(&self) -> bool {
        self.triggered.load(Ordering::Relaxed)
    }

    /// Sets the time at which the running statement is interrupted; `None` removes it.
    pub(crate) fn set_deadline(&self, deadline: Option<Instant>) {
        *self.lock() = deadline;
    }

    pub(crate) fn is_past_deadline(&self) -> bool {
        self.lock()
            .is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        // The only write is an assignment, so a poisoned value is valid.
        self.deadline.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cancels the running statement of a session.
#[derive(Debug)]
pub(crate) struct SqliteCanceller(pub(crate) Arc<InterruptFlag>);

#[async_trait]
impl Canceller for SqliteCanceller {
    async fn cancel(&self) -> Result<()> {
        self.0.trigger();
        Ok(())
    }
}
