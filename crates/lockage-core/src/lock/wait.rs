use std::time::Duration;

use tokio::time::Instant;

/// How long a run waits for the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LockWait {
    /// Give up after this time.
    For(Duration),
    /// Give up at the first refusal.
    Never,
    /// Never give up.
    Forever,
}

impl LockWait {
    /// What a run waits when nothing else is said.
    pub const DEFAULT: Self = Self::For(Duration::from_secs(60));
}

impl Default for LockWait {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The shortest and the longest pause between two tries, before the jitter. Short enough that 64 waiters are through within half a
/// second of the release, long enough that they are no load.
const PAUSES: (Duration, Duration) = (Duration::from_millis(40), Duration::from_millis(250));

/// The first message about a wait comes after this time; each further one after twice the time of the one before, at most
/// [`LAST_TELL`].
const FIRST_TELL: Duration = Duration::from_secs(1);
const LAST_TELL: Duration = Duration::from_secs(30);

/// One wait: when it began, when it ends, when to try again, when to say something.
#[derive(Debug)]
pub(crate) struct Patience {
    begun: Instant,
    wait: LockWait,
    pause: Duration,
    tell_at: Duration,
    tell_step: Duration,
}

impl Patience {
    pub(crate) fn new(wait: LockWait) -> Self {
        Self {
            begun: Instant::now(),
            wait,
            pause: PAUSES.0,
            tell_at: FIRST_TELL,
            tell_step: FIRST_TELL,
        }
    }

    pub(crate) fn waited(&self) -> Duration {
        self.begun.elapsed()
    }

    pub(crate) fn is_over(&self) -> bool {
        match self.wait {
            LockWait::For(limit) => self.waited() >= limit,
            LockWait::Never => true,
            LockWait::Forever => false,
        }
    }

    /// Whether it is time to say something about the wait; true once per interval.
    pub(crate) fn should_tell(&mut self) -> bool {
        let due = self.waited() >= self.tell_at;
        if due {
            self.tell_step = (self.tell_step * 2).min(LAST_TELL);
            self.tell_at = self.waited() + self.tell_step;
        }
        due
    }

    /// The pause before the next try: grows, is jittered by half so that waiters do not march in step, and never goes past
    /// the end of the wait.
    pub(crate) fn next_pause(&mut self) -> Duration {
        let jittered = self.pause.mul_f64(0.5 + fastrand::f64());
        self.pause = (self.pause * 2).min(PAUSES.1);
        match self.wait {
            LockWait::For(limit) => jittered.min(limit.saturating_sub(self.waited())),
            _ => jittered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_at_its_deadline_and_not_before() {
        let limit = Duration::from_secs(10);
        let mut patience = Patience::new(LockWait::For(limit));
        let mut tries = 0;
        let mut told = Vec::new();
        while !patience.is_over() {
            tries += 1;
            if patience.should_tell() {
                told.push(patience.waited().as_secs());
            }
            tokio::time::sleep(patience.next_pause()).await;
        }
        assert!(patience.waited() >= limit && patience.waited() < limit + Duration::from_millis(5));
        assert!((26..=90).contains(&tries), "{tries}");
        assert_eq!(told, [1, 3, 7]);
        assert!(Patience::new(LockWait::Never).is_over());
        assert!(!Patience::new(LockWait::Forever).is_over());
    }
}
