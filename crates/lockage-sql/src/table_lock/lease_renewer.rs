//! Renews the lease of the lock in a table while the session that holds it is busy.

use std::time::Duration;

use lockage_core::ErrorKind;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::row::{LEASE_DURATION, LockRow};
use crate::command::{Command, CommandError};
use crate::lease_support::{LeaseSession, LeaseSupport};

/// The interval between renewals.
const RENEW_INTERVAL: Duration = Duration::from_secs(3);

/// The interval at which a dropped renewer checks whether the session has ended on the server.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Renews a lease on a connection of its own.
///
/// When it is dropped, the session was dropped too. The renewer then releases the lock as soon as the session has ended on the
/// server, because a statement of it may run until then.
#[derive(Debug)]
pub(super) struct LeaseRenewer {
    start: Option<oneshot::Sender<()>>,
    stop: Option<oneshot::Sender<()>>,
    task: tokio::task::AbortHandle,
}

/// The lease that a renewer renews.
pub(super) struct LeaseTarget {
    pub(super) row: LockRow,
    pub(super) token: String,
    /// The session that holds the lease. Its `exists_sql` is `None` where another connection cannot see the session.
    pub(super) session: LeaseSession,
}

impl LeaseRenewer {
    /// Creates a renewer before the lease is acquired. A session that is lost directly after it acquired the lease then never
    /// leaves a lease without a renewer.
    pub(super) fn new(connection: Box<dyn LeaseSupport>, target: LeaseTarget) -> Self {
        let ((start, started), (stop, stopped)) = (oneshot::channel(), oneshot::channel());
        let task = tokio::spawn(renew_loop(connection, target, started, stopped));
        Self {
            start: Some(start),
            stop: Some(stop),
            task: task.abort_handle(),
        }
    }

    /// Starts renewing: the lease is acquired.
    pub(super) fn start(&mut self) {
        if let Some(start) = self.start.take() {
            let _ = start.send(());
        }
    }

    /// Stops immediately: the lock was released, or was not acquired.
    pub(super) fn stop(mut self) {
        self.task.abort();
        self.stop = None;
    }
}

async fn renew_loop(
    mut connection: Box<dyn LeaseSupport>,
    target: LeaseTarget,
    started: oneshot::Receiver<()>,
    mut stopped: oneshot::Receiver<()>,
) {
    let LeaseTarget {
        row,
        token,
        session,
    } = &target;
    if started.await.is_ok() {
        loop {
            tokio::select! {
                _ = &mut stopped => break,
                () = tokio::time::sleep(RENEW_INTERVAL) => {}
            }
            if has_ended(&mut connection, session).await {
                // The server has rolled back what the session had not committed. The lease must not be renewed for it.
                break;
            }
            let renew = [Command::internal(row.renew_sql(token))];
            match connection.execute(&renew, &mut |_| {}).await {
                Ok(()) if is_definitely_false(&mut connection, &row.held_sql(token)).await => {
                    return;
                }
                Ok(()) => {}
                // After a deadlock or the like, the next interval renews again.
                Err(failure) => reconnect_on_loss(&mut connection, &failure).await,
            }
        }
    }
    release_after_end(&mut connection, &target).await;
}

/// Waits until the session has ended on the server, and releases the lock.
async fn release_after_end(connection: &mut Box<dyn LeaseSupport>, target: &LeaseTarget) {
    let Some(exists) = &target.session.exists_sql else {
        return;
    };
    let deadline = Instant::now() + LEASE_DURATION;
    while Instant::now() < deadline {
        if is_definitely_false(connection, exists).await {
            // If the release fails, the lease expires.
            let release = [Command::internal(target.row.release_sql(&target.token))];
            let _ = connection.execute(&release, &mut |_| {}).await;
            return;
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

async fn has_ended(connection: &mut Box<dyn LeaseSupport>, session: &LeaseSession) -> bool {
    match (&session.disconnect_probe, &session.exists_sql) {
        (Some(is_disconnected), _) => is_disconnected(),
        (None, Some(exists)) => is_definitely_false(connection, exists).await,
        (None, None) => false,
    }
}

/// Returns whether the server evaluates a condition to false. A condition that it cannot evaluate counts as true.
async fn is_definitely_false(connection: &mut Box<dyn LeaseSupport>, condition: &str) -> bool {
    query_bool(connection, condition).await == Some(false)
}

/// Evaluates a condition on the server; `None` if the server does not answer.
pub(super) async fn query_bool(
    connection: &mut Box<dyn LeaseSupport>,
    condition: &str,
) -> Option<bool> {
    let sql = format!("SELECT CASE WHEN {condition} THEN 1 ELSE 0 END");
    match connection.query(&sql).await {
        Ok(rows) => match rows.first()?.first()?.as_deref() {
            Some("1") => Some(true),
            Some("0") => Some(false),
            _ => None,
        },
        Err(failure) => {
            reconnect_on_loss(connection, &failure).await;
            None
        }
    }
}

/// Replaces a lost connection, if the server is reachable.
async fn reconnect_on_loss(connection: &mut Box<dyn LeaseSupport>, failure: &CommandError) {
    if failure.error.kind() == ErrorKind::SessionLost
        && let Ok(sibling) = connection.open_sibling().await
    {
        *connection = sibling;
    }
}
