//! The lock: a file lock of the operating system, which is released when its holder exits.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use lockage_core::{Checksum, LockKey};

use super::Fault;

/// The locks of sessions that leak them.
static LEAKED: Mutex<Vec<LockHandle>> = Mutex::new(Vec::new());

/// The locks of [`Fault::ProcessLocalLock`].
static PROCESS_LOCAL: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(Mutex::default);

/// A held lock.
#[derive(Debug)]
pub(crate) struct LockHandle {
    path: PathBuf,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    File(File),
    ProcessLocal,
    /// The existence of the file is the lock.
    Marker,
    Nothing,
}

impl LockHandle {
    /// Acquires the lock if it is free, and writes the holder's session into the file.
    pub(crate) fn acquire(
        path: &Path,
        session: &str,
        fault: Option<Fault>,
    ) -> std::io::Result<Option<Self>> {
        let handle = |kind| Self {
            path: path.to_owned(),
            kind,
        };
        match fault {
            Some(Fault::GrantsEveryLock) => return Ok(Some(handle(Kind::Nothing))),
            Some(Fault::ProcessLocalLock) => {
                let mut locks = PROCESS_LOCAL.lock().unwrap_or_else(PoisonError::into_inner);
                return Ok(locks
                    .insert(path.to_owned())
                    .then(|| handle(Kind::ProcessLocal)));
            }
            Some(Fault::LockSurvivesProcess) => {
                return match File::create_new(path) {
                    Ok(mut file) => file
                        .write_all(session.as_bytes())
                        .map(|()| Some(handle(Kind::Marker))),
                    Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(None),
                    Err(error) => Err(error),
                };
            }
            _ => {}
        }
        loop {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(fs::TryLockError::WouldBlock) => return Ok(None),
                Err(fs::TryLockError::Error(error)) => return Err(error),
            }
            // The file may have been removed between the two calls.
            if !is_at(&file, path) {
                continue;
            }
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(session.as_bytes())?;
            return Ok(Some(handle(Kind::File(file))));
        }
    }

    /// Returns whether this handle still holds the lock.
    pub(crate) fn is_valid(&self) -> bool {
        match &self.kind {
            Kind::File(file) => is_at(file, &self.path),
            Kind::ProcessLocal | Kind::Marker | Kind::Nothing => true,
        }
    }

    /// Keeps the lock until the process exits.
    pub(crate) fn leak(self) {
        LEAKED
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(self);
    }
}

impl Drop for LockHandle {
    fn drop(&mut self) {
        match self.kind {
            Kind::ProcessLocal => {
                PROCESS_LOCAL
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(&self.path);
            }
            Kind::Marker => {
                let _ = fs::remove_file(&self.path);
            }
            Kind::File(_) | Kind::Nothing => {}
        }
    }
}

/// Returns the session of the lock's holder, or `None` if the lock is free.
pub(crate) fn holder_session(path: &Path) -> std::io::Result<Option<String>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
        Err(fs::TryLockError::WouldBlock) => {
            let mut session = String::new();
            file.read_to_string(&mut session)?;
            Ok(Some(session))
        }
    }
}

/// Returns whether an open file is the file at a path.
fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(current)) = (file.metadata(), fs::metadata(path)) else {
        return false;
    };
    (open.dev(), open.ino()) == (current.dev(), current.ino())
}

/// Returns the name of the lock file for a key.
pub(crate) fn file_name(key: &LockKey, fault: Option<Fault>) -> String {
    let text = match (fault, key.as_id(), key.as_name()) {
        (Some(Fault::IgnoresKey), ..) => "lock".to_owned(),
        (Some(Fault::ConfusesNamesAndIds), ..) => key.to_string(),
        (Some(Fault::TruncatesIds), Some(id), _) => format!("id {}", id as i32),
        (Some(Fault::FoldsNameCase), _, Some(name)) => format!("name {}", name.to_lowercase()),
        (Some(Fault::TruncatesNames), _, Some(name)) => {
            format!("name {}", name.chars().take(64).collect::<String>())
        }
        (_, Some(id), _) => format!("id {id}"),
        (_, None, name) => format!("name {}", name.unwrap_or_default()),
    };
    format!("lock-{}", Checksum::of(text.as_bytes()))
}
