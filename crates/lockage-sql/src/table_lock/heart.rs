use std::time::Duration;

use lockage_core::ErrorKind;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::table::LockRow;
use super::{BEAT, LEASE};
use crate::connection::{Connection, DisconnectProbe, CommandError, Command};

/// How often it is looked whether a session that was dropped has ended on the server too.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Renews a lease on a connection of its own. Dropped, it gives the lock back as soon as the session has ended on the server: until then a
/// statement of it may still run.
#[derive(Debug)]
pub(super) struct Heart {
    begin: Option<oneshot::Sender<()>>,
    stop: Option<oneshot::Sender<()>>,
    task: tokio::task::AbortHandle,
}

/// What a heart beats for.
pub(super) struct Purpose {
    pub(super) row: LockRow,
    pub(super) token: String,
    /// True, on another connection, while the session stands.
    pub(super) session: Option<String>,
    /// Whether the server hung up on it.
    pub(super) cut: Option<DisconnectProbe>,
}

impl Heart {
    /// A heart for a lease that is about to be taken: were it made later, a session that is lost in between would leave a lease to which
    /// nobody sees.
    pub(super) fn new(connection: Box<dyn Connection>, purpose: Purpose) -> Self {
        let ((begin, begun), (stop, stopped)) = (oneshot::channel(), oneshot::channel());
        let task = tokio::spawn(live(connection, purpose, begun, stopped));
        Self {
            begin: Some(begin),
            stop: Some(stop),
            task: task.abort_handle(),
        }
    }

    /// The lease is taken: it is renewed from now on.
    pub(super) fn begin(&mut self) {
        if let Some(begin) = self.begin.take() {
            let _ = begin.send(());
        }
    }

    /// Stops at once: the lock was given back, or was not obtained.
    pub(super) fn end(mut self) {
        self.task.abort();
        self.stop = None;
    }
}

async fn live(
    mut connection: Box<dyn Connection>,
    purpose: Purpose,
    begun: oneshot::Receiver<()>,
    mut stopped: oneshot::Receiver<()>,
) {
    let Purpose {
        row,
        token,
        session,
        cut,
    } = &purpose;
    if begun.await.is_ok() {
        loop {
            tokio::select! {
                _ = &mut stopped => break,
                () = tokio::time::sleep(BEAT) => {}
            }
            let ended = match cut {
                Some(cut) => cut(),
                None => is_false(&mut connection, session.as_deref()).await,
            };
            if ended {
                // Somebody ended the session; what it had not committed is gone, and so is its claim.
                break;
            }
            match connection
                .run(&[Command::own(row.beat(token))], &mut |_| {})
                .await
            {
                Ok(()) if is_false(&mut connection, Some(&row.is_held(token))).await => return,
                // A deadlock or the like: the next beat tries again.
                Err(failure) => or_another(&mut connection, &failure).await,
                Ok(()) => {}
            }
        }
    }
    let Some(session) = session else { return };
    let given_up = Instant::now() + LEASE;
    while Instant::now() < given_up {
        if is_false(&mut connection, Some(session)).await {
            // Should this fail, the lease runs out.
            let _ = connection
                .run(&[Command::own(row.give_back(token))], &mut |_| {})
                .await;
            return;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Whether the server says that a condition is false; what it cannot say counts as true.
async fn is_false(connection: &mut Box<dyn Connection>, condition: Option<&str>) -> bool {
    match condition {
        Some(condition) => says(connection, condition).await == Some(false),
        None => false,
    }
}

/// What the server says of a condition; `None` where it says nothing.
pub(super) async fn says(connection: &mut Box<dyn Connection>, condition: &str) -> Option<bool> {
    let sql = format!("SELECT CASE WHEN {condition} THEN 1 ELSE 0 END");
    match connection.query(&sql).await {
        Ok(rows) => match rows.first()?.first()?.as_deref() {
            Some("1") => Some(true),
            Some("0") => Some(false),
            _ => None,
        },
        Err(failure) => {
            or_another(connection, &failure).await;
            None
        }
    }
}

/// A lost connection is replaced, where the server can be reached.
async fn or_another(connection: &mut Box<dyn Connection>, failure: &CommandError) {
    if failure.error.kind() == ErrorKind::SessionLost
        && let Ok(another) = connection.open_sibling().await
    {
        *connection = another;
    }
}
