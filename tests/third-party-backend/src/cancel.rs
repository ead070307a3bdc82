//! Ends statements and sessions through a second attachment, while the first waits for the server.

use async_trait::async_trait;
use lockage_core::{Canceller, Error, ErrorKind, Result};
use rsfbclient_core::FbError;

use crate::attachment::Attachment;
use crate::config::ConnectConfig;
use crate::error::into_error;

/// Cancels the running statement of a session.
#[derive(Debug)]
pub(crate) struct FirebirdCanceller(pub(crate) SessionControl);

#[async_trait]
impl Canceller for FirebirdCanceller {
    async fn cancel(&self) -> Result<()> {
        let session_control = self.0.clone();
        tokio::task::spawn_blocking(move || session_control.cancel_statements())
            .await
            .map_err(|error| Error::new(ErrorKind::Unexpected, error.to_string()))?
            .map_err(into_error)
    }
}

/// Ends the statements of a session, or the session. Its methods block.
#[derive(Debug, Clone)]
pub(crate) struct SessionControl {
    pub(crate) config: ConnectConfig,
    pub(crate) session_id: i64,
}

impl SessionControl {
    pub(crate) fn cancel_statements(&self) -> Result<(), FbError> {
        self.delete_from("MON$STATEMENTS")
    }

    pub(crate) fn terminate_session(&self) -> Result<(), FbError> {
        self.delete_from("MON$ATTACHMENTS")
    }

    fn delete_from(&self, table: &str) -> Result<(), FbError> {
        let mut attachment = Attachment::open(&self.config, false)?;
        attachment.execute(&format!(
            "DELETE FROM {table} WHERE MON$ATTACHMENT_ID = {}",
            self.session_id
        ))?;
        attachment.close()
    }
}
