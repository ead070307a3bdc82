//! How often, for how long and with which delays a failed command is retried.

use std::time::Duration;

use lockage_core::{Event, Observer, Step};
use tokio::time::Instant;

use crate::command::{CommandError, FailureCause};

/// The limits of a retry loop. Only failures with the cause [`FailureCause::LockTimeout`] are retried.
#[derive(Debug)]
pub(crate) struct RetryPolicy {
    /// The maximum number of attempts, the first included.
    pub(crate) max_attempts: u32,
    /// No attempt starts after this time.
    pub(crate) max_elapsed: Duration,
    /// The delay before the second attempt.
    first_delay: Duration,
    /// The next delay from the previous one.
    next_delay: fn(Duration) -> Duration,
}

impl RetryPolicy {
    /// For internal commands, which conflict with other sessions: a deadlock, a locked row, or a cluster on which another node
    /// committed first. An attempt can wait long for a row, so the total time is limited too.
    pub(crate) const INTERNAL: Self = Self {
        max_attempts: 20,
        max_elapsed: Duration::from_secs(20),
        first_delay: Duration::from_millis(10),
        next_delay: |delay| delay + Duration::from_millis(10),
    };

    /// For statements of a script that did not obtain a lock on a table within `ddl-lock-timeout`.
    pub(crate) const TABLE_LOCK: Self = Self {
        max_attempts: 10,
        max_elapsed: Duration::MAX,
        first_delay: Duration::from_millis(100),
        next_delay: |delay| (delay * 2).min(Duration::from_secs(5)),
    };
}

/// The attempts of one command.
#[derive(Debug)]
pub(crate) struct Retry {
    policy: RetryPolicy,
    started_at: Instant,
    attempt: u32,
    delay: Duration,
}

impl Retry {
    /// Starts with the first attempt.
    pub(crate) fn new(policy: RetryPolicy) -> Self {
        Self {
            started_at: Instant::now(),
            attempt: 1,
            delay: policy.first_delay,
            policy,
        }
    }

    /// Counts the next attempt; returns `false` where the failure must not be retried.
    pub(crate) fn next_attempt(&mut self, failure: &CommandError) -> bool {
        let retry = failure.cause == FailureCause::LockTimeout
            && self.attempt < self.policy.max_attempts
            && self.started_at.elapsed() < self.policy.max_elapsed;
        self.attempt += u32::from(retry);
        retry
    }

    /// Waits for the delay before the current attempt. The delay varies by half, so that sessions that conflicted do not
    /// conflict again.
    pub(crate) async fn delay(&mut self) {
        tokio::time::sleep(self.delay.mul_f64(0.5 + fastrand::f64())).await;
        self.delay = (self.policy.next_delay)(self.delay);
    }

    /// Reports and delays the next attempt of a statement of a script.
    ///
    /// # Errors
    /// Returns the failure if it must not be retried.
    pub(crate) async fn before_retry(
        &mut self,
        failure: CommandError,
        step: &Step,
        observer: &dyn Observer,
    ) -> Result<(), CommandError> {
        if !self.next_attempt(&failure) {
            return Err(match failure.cause {
                FailureCause::LockTimeout => self.attempts_exhausted(failure),
                _ => failure,
            });
        }
        observer.on_event(&Event::Retrying {
            step,
            attempt: self.attempt,
            message: failure.error.message(),
        });
        self.delay().await;
        Ok(())
    }

    fn attempts_exhausted(&self, failure: CommandError) -> CommandError {
        let hint = format!(
            "the table was locked in {} attempts; end the transactions that use it, or wait longer with \
             `-- lockage: ddl-lock-timeout=30s` or --ddl-lock-timeout",
            self.attempt
        );
        failure.map_error(|error| error.with_hint(hint))
    }
}
