use std::sync::Arc;

use tokio::sync::watch;

/// A request to stop a run cleanly.
///
/// The run cancels its statement on the server, rolls back the transaction, releases the lock, and returns
/// [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) with its report. Dropping the future of a run also stops it, but
/// without a report.
///
/// Clones share the same request.
#[derive(Debug, Clone)]
pub struct Interrupt {
    requested: Arc<watch::Sender<bool>>,
}

impl Interrupt {
    /// Creates a request that is not triggered.
    pub fn new() -> Self {
        Self {
            requested: Arc::new(watch::Sender::new(false)),
        }
    }

    /// Triggers the request. Further calls have no effect.
    pub fn trigger(&self) {
        self.requested.send_replace(true);
    }

    /// Returns whether the request is triggered.
    pub fn is_triggered(&self) -> bool {
        *self.requested.borrow()
    }

    /// Waits until the request is triggered. Cancel safe.
    pub async fn triggered(&self) {
        // `wait_for` fails only when the sender is dropped, and `self` owns the sender.
        let _ = self
            .requested
            .subscribe()
            .wait_for(|requested| *requested)
            .await;
    }
}

impl Default for Interrupt {
    fn default() -> Self {
        Self::new()
    }
}
