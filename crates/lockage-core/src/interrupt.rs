use std::sync::Arc;

use tokio::sync::watch;

/// Asks a run to stop cleanly: the running statement is cancelled on the server, its transaction rolled back, the lock
/// released, and the run returns [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted).
///
/// Clones are handles to the same request. Dropping the future of a run does the same without the error; the
/// interrupt is for whoever wants to see the report.
#[derive(Debug, Clone)]
pub struct Interrupt {
    asked: Arc<watch::Sender<bool>>,
}

impl Interrupt {
    /// A request that nobody has made yet.
    pub fn new() -> Self {
        Self {
            asked: Arc::new(watch::Sender::new(false)),
        }
    }

    /// Asks. Asking twice is asking once.
    pub fn trigger(&self) {
        self.asked.send_replace(true);
    }

    /// Whether somebody has asked.
    pub fn is_triggered(&self) -> bool {
        *self.asked.borrow()
    }

    /// Returns once somebody has asked. Cancel safe.
    pub async fn triggered(&self) {
        // The sender lives in `self`, so the wait ends by a request only.
        let _ = self.asked.subscribe().wait_for(|asked| *asked).await;
    }
}

impl Default for Interrupt {
    fn default() -> Self {
        Self::new()
    }
}
