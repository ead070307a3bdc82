use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lockage_core::{ConnectOptions, Error, ErrorKind, History, LockKey, Result};
use tokio::task::AbortHandle;

use super::cancel::Cancel;
use super::lock::{LockHandle, file_name};
use super::session_state::SessionState;
use super::store::Store;
use super::{Fault, marker};

/// A session of the reference backend.
#[derive(Debug)]
pub(crate) struct ReferenceSession {
    pub(super) id: String,
    pub(super) options: ConnectOptions,
    pub(super) fault: Option<Fault>,
    pub(super) store: Store,
    pub(super) folder: PathBuf,
    pub(super) cancel: Cancel,
    state: Mutex<SessionState>,
    pub(super) cached_history: Option<History>,
    /// Whether a migration of this session failed.
    pub(super) failed: bool,
    /// How often the lock was acquired, for [`Fault::ReentrantLock`].
    pub(super) acquired_count: u32,
    server: Arc<Server>,
    termination_watch: AbortHandle,
}

/// The state of the session that a real engine keeps on the server.
#[derive(Debug, Default)]
struct Server {
    handles: Mutex<HashMap<LockKey, LockHandle>>,
    terminated: AtomicBool,
}

impl Server {
    fn handles(&self) -> MutexGuard<'_, HashMap<LockKey, LockHandle>> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReferenceSession {
    pub(super) fn open(
        folder: PathBuf,
        fault: Option<Fault>,
        options: ConnectOptions,
    ) -> Result<Self> {
        if !folder.is_dir() {
            return Err(Error::new(
                ErrorKind::Connect,
                format!("the folder {} does not exist", folder.display()),
            ));
        }
        let id = lockage_testkit::unique_name("session");
        let server = Arc::<Server>::default();
        let watch = tokio::spawn(watch_termination(
            marker::terminated(&folder, &id),
            Arc::clone(&server),
        ));
        Ok(Self {
            store: Store::new(&folder),
            cancel: Cancel::default(),
            state: Mutex::default(),
            cached_history: None,
            failed: false,
            acquired_count: 0,
            termination_watch: watch.abort_handle(),
            id,
            options,
            fault,
            folder,
            server,
        })
    }

    pub(super) fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// Fails if the session was terminated.
    pub(super) fn ensure_alive(&self) -> Result<()> {
        if self.server.terminated.load(Ordering::SeqCst) && !self.has(Fault::WritesAfterTermination)
        {
            return Err(Error::new(
                ErrorKind::SessionLost,
                "the session was terminated",
            ));
        }
        Ok(())
    }

    pub(super) fn state(&self) -> MutexGuard<'_, SessionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes what an earlier migration left in the session.
    pub(super) fn reset(&self) {
        let mut state = self.state();
        if !self.has(Fault::KeepsTemporaryTables) {
            state.temporary_tables.clear();
        }
        if !self.has(Fault::KeepsSettings) {
            state.setting_changed = false;
        }
    }

    pub(super) fn lock_file(&self, key: &LockKey) -> PathBuf {
        self.folder.join(file_name(key, self.fault))
    }

    pub(super) fn retain(&self, key: &LockKey, handle: LockHandle) {
        self.server.handles().insert(key.clone(), handle);
    }

    pub(super) fn has_acquired(&self, key: &LockKey) -> bool {
        self.server.handles().contains_key(key)
    }

    /// Returns whether the session holds the lock according to the server.
    pub(super) fn is_valid(&self, key: &LockKey) -> bool {
        self.server
            .handles()
            .get(key)
            .is_some_and(LockHandle::is_valid)
    }

    pub(super) fn release(&self, key: &LockKey) -> Option<LockHandle> {
        self.server.handles().remove(key)
    }

    pub(super) fn release_all(&self) -> Vec<LockHandle> {
        self.server
            .handles()
            .drain()
            .map(|(_, handle)| handle)
            .collect()
    }
}

impl Drop for ReferenceSession {
    fn drop(&mut self) {
        self.termination_watch.abort();
        let leaks =
            self.has(Fault::DropLeaksLock) || self.failed && self.has(Fault::ErrorLeaksLock);
        for handle in self.release_all() {
            if leaks {
                handle.leak();
            }
        }
    }
}

/// Simulates a server that terminates a session: releases its locks immediately, independent of the client.
async fn watch_termination(marker: PathBuf, server: Arc<Server>) {
    wait_until_exists(&marker, true).await;
    server.terminated.store(true, Ordering::SeqCst);
    server.handles().clear();
}

/// Waits until a file exists, or until it does not.
pub(crate) async fn wait_until_exists(file: &Path, exists: bool) {
    while file.exists() != exists {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
