//! Cancels the running statement of a session.

use std::sync::Arc;

use async_trait::async_trait;
use lockage_core::{Canceller, Result};
use tokio::sync::watch;

/// Signals that the running statement must stop.
///
/// The protocol cancels a statement with an attention message on the session's own connection. The call that waits for the
/// statement receives this signal and sends the message.
#[derive(Debug, Clone)]
pub(crate) struct CancelSignal(Arc<watch::Sender<bool>>);

impl CancelSignal {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Returns a receiver that becomes true when a cancellation is requested.
    pub(crate) fn subscribe(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }

    /// Returns whether a cancellation was requested, and resets the signal.
    pub(crate) fn take_cancelled(&self) -> bool {
        self.0.send_replace(false)
    }
}

#[async_trait]
impl Canceller for CancelSignal {
    async fn cancel(&self) -> Result<()> {
        self.0.send_replace(true);
        Ok(())
    }
}
