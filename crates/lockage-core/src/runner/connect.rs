//! Opening and closing sessions, and waiting that an interrupt ends.

use super::Runner;
use crate::backend::Backend;
use crate::event::Event;
use crate::session::Unlocked;
use crate::{Error, ErrorKind, Result};

impl Runner {
    pub(super) fn backend(&self) -> Result<&Backend> {
        self.registry.find(self.connect.url.scheme())
    }

    pub(super) async fn open_session(&self) -> Result<Unlocked> {
        let session = self
            .with_interrupt(self.registry.connect(&self.connect))
            .await?;
        self.observer.on_event(&Event::Connected {
            database: &self.connect.url.to_string(),
        });
        Ok(session)
    }

    /// Awaits `work`. Drops it, and with it the session, when the run is interrupted.
    pub(super) async fn with_interrupt<T>(
        &self,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        tokio::select! {
            biased;
            () = self.interrupt.triggered() => Err(interrupted_error()),
            done = work => done,
        }
    }
}

/// Closes a session that is no longer needed. Its loss is not an error: what it read or committed stays valid.
pub(super) async fn close_session(session: Unlocked) -> Result<()> {
    match session.close().await {
        Err(error) if error.kind() != ErrorKind::SessionLost => Err(error),
        _ => Ok(()),
    }
}

pub(super) fn interrupted_error() -> Error {
    Error::new(ErrorKind::Interrupted, "the run was interrupted")
}
