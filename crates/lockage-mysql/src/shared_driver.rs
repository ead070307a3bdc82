//! The driver connection as the session and its keep-alive task share it.

use std::sync::Arc;

use lockage_core::{Error, ErrorKind, Result, Status};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use crate::driver::DriverConnection;

/// A driver connection that two tasks use in turn. It is empty once the session has ended.
#[derive(Debug, Clone)]
pub(crate) struct SharedDriver(Arc<Mutex<Option<DriverConnection>>>);

impl SharedDriver {
    pub(crate) fn new(driver: DriverConnection) -> Self {
        Self(Arc::new(Mutex::new(Some(driver))))
    }

    /// Waits for the connection and borrows it for one call.
    ///
    /// # Errors
    /// [`ErrorKind::SessionLost`] once the session has ended.
    pub(crate) async fn borrow(&self) -> Result<MappedMutexGuard<'_, DriverConnection>> {
        MutexGuard::try_map(self.0.lock().await, Option::as_mut).map_err(|_| {
            Error::new(ErrorKind::SessionLost, "the session has ended")
                .with_status(Status::Temporary)
        })
    }

    /// Borrows the connection if no call uses it.
    pub(crate) fn try_borrow(&self) -> Option<MutexGuard<'_, Option<DriverConnection>>> {
        self.0.try_lock().ok()
    }

    /// Waits for the connection and takes it out.
    pub(crate) async fn take(&self) -> Option<DriverConnection> {
        self.0.lock().await.take()
    }
}
