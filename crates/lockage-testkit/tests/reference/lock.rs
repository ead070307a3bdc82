//! The lock: a file that the operating system locks, and unlocks when its holder dies.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use lockage_core::{Checksum, LockKey};

use super::Flaw;

/// The locked files of sessions that leak.
static LEAKED: Mutex<Vec<Grip>> = Mutex::new(Vec::new());

/// The locks of a backend that knows one process only.
static OF_THIS_PROCESS: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(Mutex::default);

/// A lock that is held.
#[derive(Debug)]
pub(crate) struct Grip {
    path: PathBuf,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    File(File),
    OfThisProcess,
    /// The file being there is the lock.
    Marker,
    Nothing,
}

impl Grip {
    /// Takes the lock if it is free, and leaves the holder's note in it.
    pub(crate) fn take(
        path: &Path,
        note: &str,
        flaw: Option<Flaw>,
    ) -> std::io::Result<Option<Self>> {
        let grip = |kind| Self {
            path: path.to_owned(),
            kind,
        };
        match flaw {
            Some(Flaw::NeverLocks) => return Ok(Some(grip(Kind::Nothing))),
            Some(Flaw::LocksOneProcess) => {
                let mut locks = OF_THIS_PROCESS
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                return Ok(locks
                    .insert(path.to_owned())
                    .then(|| grip(Kind::OfThisProcess)));
            }
            Some(Flaw::OutlivesItsProcess) => {
                return match File::create_new(path) {
                    Ok(mut file) => file
                        .write_all(note.as_bytes())
                        .map(|()| Some(grip(Kind::Marker))),
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
            // Somebody may have removed it between the two calls.
            if !is_at(&file, path) {
                continue;
            }
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(note.as_bytes())?;
            return Ok(Some(grip(Kind::File(file))));
        }
    }

    /// Whether the lock is still ours.
    pub(crate) fn is_firm(&self) -> bool {
        match &self.kind {
            Kind::File(file) => is_at(file, &self.path),
            Kind::OfThisProcess | Kind::Marker | Kind::Nothing => true,
        }
    }

    /// Lets go without letting go.
    pub(crate) fn leak(self) {
        LEAKED
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(self);
    }
}

impl Drop for Grip {
    fn drop(&mut self) {
        match self.kind {
            Kind::OfThisProcess => {
                OF_THIS_PROCESS
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

/// The note of whoever holds a lock.
pub(crate) fn note(path: &Path) -> std::io::Result<Option<String>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
        Err(fs::TryLockError::WouldBlock) => {
            let mut note = String::new();
            file.read_to_string(&mut note)?;
            Ok(Some(note))
        }
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(held), Ok(there)) = (file.metadata(), fs::metadata(path)) else {
        return false;
    };
    (held.dev(), held.ino()) == (there.dev(), there.ino())
}

/// The file of a key.
pub(crate) fn file_name(key: &LockKey, flaw: Option<Flaw>) -> String {
    let text = match (flaw, key.as_id(), key.as_name()) {
        (Some(Flaw::OneLockForAll), ..) => "lock".to_owned(),
        (Some(Flaw::NamesAreText), ..) => key.to_string(),
        (Some(Flaw::ShortIds), Some(id), _) => format!("id {}", id as i32),
        (Some(Flaw::FoldsCase), _, Some(name)) => format!("name {}", name.to_lowercase()),
        (Some(Flaw::CutsNames), _, Some(name)) => {
            format!("name {}", name.chars().take(64).collect::<String>())
        }
        (_, Some(id), _) => format!("id {id}"),
        (_, None, name) => format!("name {}", name.unwrap_or_default()),
    };
    format!("lock-{}", Checksum::of(text.as_bytes()))
}
