//! Ending from outside what a session does. MySQL notices that a client is gone only when a statement ends, so a second connection says it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use lockage_core::{Canceller, Error, ErrorKind, Result};

use crate::connect::Gangway;
use crate::error;
use crate::facts::Facts;

/// How long a server may take to do so.
const PATIENCE: Duration = Duration::from_secs(20);

/// Reaches the session of a connection over another one.
#[derive(Debug, Clone)]
pub(crate) struct KillSwitch {
    gangway: Gangway,
    facts: Facts,
    cancelled: Arc<AtomicBool>,
}

/// What becomes of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kill {
    /// Its statement ends, it stays.
    Query,
    /// It ends.
    Session,
}

impl KillSwitch {
    pub(crate) fn new(gangway: Gangway, facts: Facts) -> Self {
        Self {
            gangway,
            facts,
            cancelled: Arc::default(),
        }
    }

    /// Whether somebody cancelled, once.
    pub(crate) fn take_cancelled(&self) -> bool {
        self.cancelled.swap(false, Ordering::SeqCst)
    }

    /// Has the server end the statement, or the session.
    pub(crate) async fn kill(&self, kill: Kill) -> Result<()> {
        match tokio::time::timeout(PATIENCE, self.kill_at_last(kill)).await {
            Ok(done) => done,
            Err(_) => Err(Error::new(
                ErrorKind::Connect,
                "the server did not answer when it was asked to end a statement",
            )
            .with_status(Status::Temporary)),
        }
    }

    async fn kill_at_last(&self, kill: Kill) -> Result<()> {
        let mut wire = self.gangway.open().await?;
        let sets = wire
            .run(crate::facts::IDENTITY)
            .await
            .map_err(|broken| error::plain(broken.error))?;
        let found = crate::facts::identity(sets.first().map(Vec::as_slice).unwrap_or_default());
        // Behind one address there may be several, whose sessions have the same numbers.
        if found != self.facts.identity {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "another server answers at the address of the session; its statement was not ended",
            ));
        }
        let word = match kill {
            Kill::Query => "KILL QUERY",
            Kill::Session => "KILL",
        };
        self.facts.note_kill();
        match wire.run(&format!("{word} {}", self.facts.connection)).await {
            // No such session: it has ended.
            Err(broken) if error::number(&broken.error) == Some(1094) => {}
            done => drop(done.map_err(|broken| error::plain(broken.error))?),
        }
        let _ = wire.close().await;
        Ok(())
    }

    /// Ends the session without waiting for it.
    pub(crate) fn end_in_background(self) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // Nobody is left to be told. The server ends the session when its statement ends.
                let _ = self.kill(Kill::Session).await;
            });
        }
    }
}

#[async_trait]
impl Canceller for KillSwitch {
    async fn cancel(&self) -> Result<()> {
        self.cancelled.store(true, Ordering::SeqCst);
        self.kill(Kill::Query).await
    }
}
