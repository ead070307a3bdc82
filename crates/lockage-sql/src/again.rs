//! Statements of ours that met another session's: a deadlock, a table in use, or a cluster on which another node was first. What was
//! begun is taken back then, and tried again.

use std::time::Duration;

use lockage_core::ErrorKind;
use tokio::time::Instant;

use crate::Row;
use crate::connection::{FailureCause, Connection, CommandError, Command};

/// How often they are tried.
const TRIES: u32 = 20;

/// For how long: a try that waited long for a row is not made many times.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a query that only reads.
pub(crate) async fn query(on: &mut impl Connection, sql: &str) -> Result<Vec<Row>, CommandError> {
    let mut tries = Tries::new();
    loop {
        match on.query(sql).await {
            Err(failure) if tries.pause_after(&failure).await => {}
            done => return done,
        }
    }
}

/// Runs pieces that are one transaction, or one statement. A failure takes back what was begun.
pub(crate) async fn run(on: &mut impl Connection, pieces: &[Command<'_>]) -> Result<(), CommandError> {
    let mut tries = Tries::new();
    loop {
        let Err(failure) = on.run(pieces, &mut |_| {}).await else {
            return Ok(());
        };
        roll_back(on, &failure).await;
        if !tries.pause_after(&failure).await {
            return Err(failure);
        }
    }
}

/// Takes the open transaction back after a failure in it.
pub(crate) async fn roll_back(on: &mut impl Connection, failure: &CommandError) {
    if failure.error.kind() != ErrorKind::SessionLost {
        let rollback = on.dialect().rollback;
        // The failure is what is to be told. Were this to fail too, the next statement would say so.
        let _ = on.run(&[Command::own(rollback)], &mut |_| {}).await;
    }
}

struct Tries {
    begun: Instant,
    made: u32,
}

impl Tries {
    fn new() -> Self {
        Self {
            begun: Instant::now(),
            made: 1,
        }
    }

    /// Pauses where there is to be another try.
    async fn pause_after(&mut self, failure: &CommandError) -> bool {
        let again = failure.cause == FailureCause::LockTimeout
            && self.made < TRIES
            && self.begun.elapsed() < PATIENCE;
        if again {
            let pause = Duration::from_millis(10) * self.made;
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            self.made += 1;
        }
        again
    }
}
