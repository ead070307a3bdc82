use std::sync::Arc;

use async_trait::async_trait;
use lockage_core::{Canceller, Result};
use tokio::sync::watch;

/// Asks a session to have the server stop the statement in hand. The protocol has a message for that (attention) on the session's own
/// connection, which the call that waits there sends.
#[derive(Debug, Clone)]
pub(crate) struct StopSign(Arc<watch::Sender<bool>>);

impl StopSign {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Becomes true when somebody asks.
    pub(crate) fn watch(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }

    /// Whether somebody asked, once.
    pub(crate) fn take(&self) -> bool {
        self.0.send_replace(false)
    }
}

#[async_trait]
impl Canceller for StopSign {
    async fn cancel(&self) -> Result<()> {
        self.0.send_replace(true);
        Ok(())
    }
}
