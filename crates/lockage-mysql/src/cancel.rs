//! Cancels the statement of a session, or terminates the session, over another connection.
//!
//! MySQL notices only at the end of a statement that its client disconnected.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use lockage_core::{Canceller, Error, ErrorKind, Result, Status};

use crate::connect::Connector;
use crate::error::NO_SUCH_SESSION;
use crate::server_info::{self, ServerInfo};

/// How long the server may take to accept the connection and run KILL.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(20);

/// Sends KILL for a session over another connection.
#[derive(Debug, Clone)]
pub(crate) struct MysqlCanceller {
    connector: Connector,
    server: ServerInfo,
    cancelled: Arc<AtomicBool>,
}

/// What KILL ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KillTarget {
    /// The running statement; the session continues.
    Query,
    /// The session.
    Session,
}

impl MysqlCanceller {
    pub(crate) fn new(connector: Connector, server: ServerInfo) -> Self {
        Self {
            connector,
            server,
            cancelled: Arc::default(),
        }
    }

    /// Returns whether the run was cancelled, and resets the flag.
    pub(crate) fn take_cancelled(&self) -> bool {
        self.cancelled.swap(false, Ordering::SeqCst)
    }

    /// Ends the statement or the session.
    pub(crate) async fn kill(&self, target: KillTarget) -> Result<()> {
        match tokio::time::timeout(CANCEL_TIMEOUT, self.kill_now(target)).await {
            Ok(result) => result,
            Err(_) => Err(Error::new(
                ErrorKind::Connect,
                "the server did not answer the request to cancel a statement",
            )
            .with_status(Status::Temporary)),
        }
    }

    async fn kill_now(&self, target: KillTarget) -> Result<()> {
        let mut driver = self.connector.open().await?;
        let sets = driver.run(server_info::SERVER_ID_QUERY).await?;
        let variables = sets.first().map(Vec::as_slice).unwrap_or_default();
        // Several servers can share an address, and their sessions can have the same numbers.
        if server_info::server_id(variables) != self.server.server_id {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "another server answers at the address of the session; its statement was not cancelled",
            ));
        }
        let command = match target {
            KillTarget::Query => "KILL QUERY",
            KillTarget::Session => "KILL",
        };
        self.server.count_own_kill();
        let sql = format!("{command} {}", self.server.connection);
        match driver.run(&sql).await {
            // The session has already ended.
            Err(failed) if failed.number() == Some(NO_SUCH_SESSION) => {}
            result => drop(result?),
        }
        let _ = driver.close().await;
        Ok(())
    }

    /// Terminates the session in a task of its own.
    pub(crate) fn terminate_in_background(self) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // No caller waits for the result. If it fails, the server ends the session at the end of its statement.
                let _ = self.kill(KillTarget::Session).await;
            });
        }
    }
}

#[async_trait]
impl Canceller for MysqlCanceller {
    async fn cancel(&self) -> Result<()> {
        // Set first: the statement may end before this call returns.
        self.cancelled.store(true, Ordering::SeqCst);
        self.kill(KillTarget::Query).await
    }
}
