use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lockage_core::{Error, ErrorKind, History, LockKey, Result};
use tokio::task::AbortHandle;

use super::cancel::Cancel;
use super::lock::{Grip, file_name};
use super::store::Store;
use super::{Flaw, marker};

#[derive(Debug)]
pub(crate) struct ReferenceSession {
    pub(super) id: String,
    pub(super) run_id: String,
    pub(super) flaw: Option<Flaw>,
    pub(super) store: Store,
    pub(super) folder: PathBuf,
    pub(super) cancel: Cancel,
    pub(super) remembered: Option<History>,
    /// Whether a migration of this session failed.
    pub(super) failed: bool,
    /// How often each lock was taken, for the flaw that counts.
    pub(super) taken: u32,
    server: Arc<Server>,
    watch: AbortHandle,
}

/// What the server of a real engine would know of the session.
#[derive(Debug, Default)]
struct Server {
    grips: Mutex<HashMap<LockKey, Grip>>,
    ended: AtomicBool,
}

impl Server {
    fn grips(&self) -> MutexGuard<'_, HashMap<LockKey, Grip>> {
        self.grips.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReferenceSession {
    pub(super) fn open(folder: PathBuf, flaw: Option<Flaw>, run_id: String) -> Result<Self> {
        if !folder.is_dir() {
            return Err(Error::new(
                ErrorKind::Connect,
                format!("no folder {}", folder.display()),
            ));
        }
        let id = lockage_testkit::unique_name("session");
        let server = Arc::<Server>::default();
        let watch = tokio::spawn(until_ended(
            marker::ended(&folder, &id),
            Arc::clone(&server),
        ));
        Ok(Self {
            store: Store::new(&folder),
            cancel: Cancel::default(),
            remembered: None,
            failed: false,
            taken: 0,
            watch: watch.abort_handle(),
            id,
            run_id,
            flaw,
            folder,
            server,
        })
    }

    pub(super) fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// An error when an administrator has ended the session.
    pub(super) fn alive(&self) -> Result<()> {
        if self.server.ended.load(Ordering::SeqCst) && !self.has(Flaw::WritesAfterTheEnd) {
            return Err(Error::new(ErrorKind::SessionLost, "the session was ended"));
        }
        Ok(())
    }

    pub(super) fn lock_file(&self, key: &LockKey) -> PathBuf {
        self.folder.join(file_name(key, self.flaw))
    }

    pub(super) fn keep(&self, key: &LockKey, grip: Grip) {
        self.server.grips().insert(key.clone(), grip);
    }

    pub(super) fn has_taken(&self, key: &LockKey) -> bool {
        self.server.grips().contains_key(key)
    }

    /// Whether the server sees the lock with this session.
    pub(super) fn is_firm(&self, key: &LockKey) -> bool {
        self.server.grips().get(key).is_some_and(Grip::is_firm)
    }

    pub(super) fn let_go(&self, key: &LockKey) -> Option<Grip> {
        self.server.grips().remove(key)
    }

    pub(super) fn let_go_of_all(&self) -> Vec<Grip> {
        self.server.grips().drain().map(|(_, grip)| grip).collect()
    }
}

impl Drop for ReferenceSession {
    fn drop(&mut self) {
        self.watch.abort();
        let leaks = self.has(Flaw::LeaksOnDrop) || self.failed && self.has(Flaw::LeaksOnError);
        for grip in self.let_go_of_all() {
            if leaks {
                grip.leak();
            }
        }
    }
}

/// Plays the server that ends a session: it frees the locks at once, whatever the client does.
async fn until_ended(marker: PathBuf, server: Arc<Server>) {
    until(&marker, true).await;
    server.ended.store(true, Ordering::SeqCst);
    server.grips().clear();
}

/// Returns once a file is there, or is not.
pub(crate) async fn until(file: &Path, there: bool) {
    while file.exists() != there {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
