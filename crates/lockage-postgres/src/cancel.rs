//! Cancels the running statement of a connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use lockage_core::{Canceller, Error, ErrorKind, Result};
use tokio_postgres::{CancelToken, NoTls};

use crate::error;
use crate::tls::Tls;

/// The maximum duration of a cancel request.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// Asks the server to cancel the running statement of one connection.
pub(crate) struct PostgresCanceller {
    token: CancelToken,
    tls: Tls,
    /// Whether [`Canceller::cancel`] sent a request whose effect was not yet reported.
    requested: AtomicBool,
    /// The number of live [`CancelGuard`]s.
    guards: AtomicU32,
}

/// Suspends [`Canceller::cancel`] of a connection until it is dropped.
#[must_use]
pub(crate) struct CancelGuard(Arc<PostgresCanceller>);

impl Drop for CancelGuard {
    fn drop(&mut self) {
        self.0.guards.fetch_sub(1, Ordering::SeqCst);
    }
}

impl std::fmt::Debug for PostgresCanceller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresCanceller").finish_non_exhaustive()
    }
}

impl PostgresCanceller {
    pub(crate) fn new(token: CancelToken, tls: Tls) -> Self {
        Self {
            token,
            tls,
            requested: AtomicBool::new(false),
            guards: AtomicU32::new(0),
        }
    }

    pub(crate) fn token(&self) -> &CancelToken {
        &self.token
    }

    pub(crate) fn tls(&self) -> &Tls {
        &self.tls
    }

    /// Suspends cancelling until the guard is dropped, for commands that must finish because they clean up.
    pub(crate) fn suspend_cancel(self: &Arc<Self>) -> CancelGuard {
        self.guards.fetch_add(1, Ordering::SeqCst);
        CancelGuard(Arc::clone(self))
    }

    /// Returns whether a cancellation was requested, and clears the request.
    pub(crate) fn take_requested(&self) -> bool {
        self.requested.swap(false, Ordering::Relaxed)
    }

    /// Sends a cancel request over a connection of its own.
    pub(crate) async fn send_cancel(&self) -> Result<()> {
        let request = async {
            match &self.tls {
                Tls::Off => self.token.cancel_query(NoTls).await,
                #[cfg(feature = "tls")]
                Tls::On(tls) => self.token.cancel_query(tls.clone()).await,
            }
        };
        let failed = |message| {
            Error::new(
                ErrorKind::Connect,
                format!("cannot send a cancel request to the server: {message}"),
            )
        };
        match tokio::time::timeout(CANCEL_TIMEOUT, request).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(failed(error::format_chain(&error)).with_source(error)),
            Err(_) => Err(failed(format!("no answer within {CANCEL_TIMEOUT:?}"))),
        }
    }
}

#[async_trait]
impl Canceller for PostgresCanceller {
    async fn cancel(&self) -> Result<()> {
        if self.guards.load(Ordering::SeqCst) > 0 {
            return Ok(());
        }
        self.requested.store(true, Ordering::Relaxed);
        self.send_cancel().await
    }
}
