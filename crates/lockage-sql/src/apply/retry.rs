//! Patience with tables that others use.

use std::time::Duration;

use lockage_core::{Event, Observer, Step};

use crate::connection::{FailureCause, CommandError};

/// How often a statement that could not get a table in time is tried.
const TRIES: u32 = 10;

/// The pause before the second try; doubles up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Counts the tries of one step or statement.
pub(super) struct Retry {
    attempt: u32,
}

impl Retry {
    pub(super) fn new() -> Self {
        Self { attempt: 1 }
    }

    /// Pauses before another try; gives the failure back when there is to be none.
    pub(super) async fn pause_after(
        &mut self,
        failure: CommandError,
        step: &Step,
        observer: &dyn Observer,
    ) -> Result<(), CommandError> {
        if failure.cause != FailureCause::LockTimeout {
            return Err(failure);
        }
        if self.attempt == TRIES {
            let error = failure.error.with_hint(format!(
                "the table was busy at {TRIES} tries; end the transactions that use it, or wait longer with \
                 `-- lockage: ddl-lock-timeout=30s` or --ddl-lock-timeout"
            ));
            return Err(CommandError { error, ..failure });
        }
        self.attempt += 1;
        observer.on_event(&Event::Retrying {
            step,
            attempt: self.attempt,
            message: failure.error.message(),
        });
        let pause = LONGEST.min(FIRST * 2u32.pow(self.attempt - 2));
        tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
        Ok(())
    }
}
