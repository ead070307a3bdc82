use std::time::Duration;

use tokio::time::Instant;

/// The time that a run waits for the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LockWait {
    /// Fails with a timeout after this time.
    For(Duration),
    /// Fails after the first try.
    Never,
    /// Waits without a timeout.
    Forever,
}

impl LockWait {
    /// The default: 60 seconds.
    pub const DEFAULT: Self = Self::For(Duration::from_secs(60));
}

impl Default for LockWait {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The minimum and the maximum delay between two tries, before the jitter. It is short enough that 64 waiters finish within
/// half a second after the release, and long enough that they cause no load.
const RETRY_DELAY_RANGE: (Duration, Duration) =
    (Duration::from_millis(40), Duration::from_millis(250));

/// The time until the first report of a wait. Each later interval is twice as long as the previous one, up to
/// [`MAX_REPORT_INTERVAL`].
const FIRST_REPORT_AFTER: Duration = Duration::from_secs(1);
const MAX_REPORT_INTERVAL: Duration = Duration::from_secs(30);

/// The schedule of one wait: its start and deadline, the delays between tries, and the times of reports.
#[derive(Debug)]
pub(crate) struct WaitSchedule {
    started_at: Instant,
    wait: LockWait,
    delay: Duration,
    report_at: Duration,
    report_interval: Duration,
}

impl WaitSchedule {
    pub(crate) fn new(wait: LockWait) -> Self {
        Self {
            started_at: Instant::now(),
            wait,
            delay: RETRY_DELAY_RANGE.0,
            report_at: FIRST_REPORT_AFTER,
            report_interval: FIRST_REPORT_AFTER,
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started_at.elapsed()
    }

    pub(crate) fn is_expired(&self) -> bool {
        match self.wait {
            LockWait::For(limit) => self.elapsed() >= limit,
            LockWait::Never => true,
            LockWait::Forever => false,
        }
    }

    /// Returns whether a report is due; true once per interval.
    pub(crate) fn should_report(&mut self) -> bool {
        let due = self.elapsed() >= self.report_at;
        if due {
            self.report_interval = (self.report_interval * 2).min(MAX_REPORT_INTERVAL);
            self.report_at = self.elapsed() + self.report_interval;
        }
        due
    }

    /// Returns the delay before the next try. Delays grow up to the maximum and never exceed the deadline. The jitter of one
    /// half keeps waiters from trying at the same time.
    pub(crate) fn next_delay(&mut self) -> Duration {
        let jittered = self.delay.mul_f64(0.5 + fastrand::f64());
        self.delay = (self.delay * 2).min(RETRY_DELAY_RANGE.1);
        match self.wait {
            LockWait::For(limit) => jittered.min(limit.saturating_sub(self.elapsed())),
            _ => jittered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn wait_expires_at_deadline() {
        let limit = Duration::from_secs(10);
        let mut schedule = WaitSchedule::new(LockWait::For(limit));
        let mut tries = 0;
        let mut reported_at = Vec::new();
        while !schedule.is_expired() {
            tries += 1;
            if schedule.should_report() {
                reported_at.push(schedule.elapsed().as_secs());
            }
            tokio::time::sleep(schedule.next_delay()).await;
        }
        assert!(
            schedule.elapsed() >= limit && schedule.elapsed() < limit + Duration::from_millis(5)
        );
        assert!((26..=90).contains(&tries), "{tries}");
        assert_eq!(reported_at, [1, 3, 7]);
        assert!(WaitSchedule::new(LockWait::Never).is_expired());
        assert!(!WaitSchedule::new(LockWait::Forever).is_expired());
    }
}
