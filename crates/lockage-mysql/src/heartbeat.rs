//! Signs of life on a connection that holds a lock and has nothing to do.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::wire::Wire;

/// The connection, where the session and its heartbeat both reach it; `None` once the session has ended.
pub(crate) type SharedWire = Arc<Mutex<Option<Wire>>>;

/// Beats until it is dropped.
#[derive(Debug)]
pub(crate) struct Heartbeat(JoinHandle<()>);

impl Heartbeat {
    /// For a session that the server ends when it is silent for `limit`.
    pub(crate) fn start(wire: &SharedWire, limit: Duration) -> Self {
        Self(tokio::spawn(beat(Arc::clone(wire), limit / 4)))
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn beat(shared: SharedWire, every: Duration) {
    let mut due = every;
    loop {
        tokio::time::sleep(due).await;
        due = every;
        // Whoever has it in use is heard by the server anyway.
        let Ok(mut guard) = shared.try_lock() else {
            continue;
        };
        let Some(wire) = guard.as_mut() else { return };
        let idle = wire.last_use().elapsed();
        if idle < every {
            due = every - idle;
        } else if wire.ping().await.is_err() {
            // The session finds out by itself at its next call.
            return;
        }
    }
}
