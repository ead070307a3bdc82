use std::sync::Arc;

use lockage_core::{Canceller, Result, async_trait};
use tokio::sync::Notify;

/// Cancels a statement that is blocked at a barrier. Other statements are too short to be cancelled.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cancel(pub(crate) Arc<Notify>);

#[async_trait]
impl Canceller for Cancel {
    async fn cancel(&self) -> Result<()> {
        self.0.notify_waiters();
        Ok(())
    }
}

/// Ignores requests, for [`Fault::IgnoresCancel`](super::Fault::IgnoresCancel).
#[derive(Debug)]
pub(crate) struct NoCancel;

#[async_trait]
impl Canceller for NoCancel {
    async fn cancel(&self) -> Result<()> {
        Ok(())
    }
}
