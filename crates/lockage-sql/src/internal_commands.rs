//! Runs internal commands, with retries where they conflict with another session.

use lockage_core::ErrorKind;

use crate::command::{Command, CommandError, Row};
use crate::connection::Connection;
use crate::retry::{Retry, RetryPolicy};

/// Runs a query that only reads.
pub(crate) async fn query(on: &mut impl Connection, sql: &str) -> Result<Vec<Row>, CommandError> {
    let mut retry = Retry::new(RetryPolicy::INTERNAL);
    loop {
        match on.query(sql).await {
            Err(failure) if retry.next_attempt(&failure) => retry.delay().await,
            outcome => return outcome,
        }
    }
}

/// Runs commands that are one transaction, or one statement. A failure rolls back.
pub(crate) async fn execute(
    on: &mut impl Connection,
    commands: &[Command<'_>],
) -> Result<(), CommandError> {
    let mut retry = Retry::new(RetryPolicy::INTERNAL);
    loop {
        let Err(failure) = on.execute(commands, &mut |_| {}).await else {
            return Ok(());
        };
        roll_back(on, &failure).await;
        if !retry.next_attempt(&failure) {
            return Err(failure);
        }
        retry.delay().await;
    }
}

/// Rolls the open transaction back after a failure in it.
pub(crate) async fn roll_back(on: &mut impl Connection, failure: &CommandError) {
    if failure.error.kind() != ErrorKind::SessionLost {
        let rollback = on.dialect().rollback;
        // The caller reports the first failure. If the rollback fails too, the next statement reports that.
        let _ = on
            .execute(&[Command::internal(rollback)], &mut |_| {})
            .await;
    }
}
