//! Locks that are files beside the database.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lockage_core::{Error, ErrorKind, LockHolder, LockKey, Result};

use super::holder::{format_holder, now, parse_holder};
use super::key::file_name_part;
use super::permissions;
use crate::config::resolve_symlinks;

/// How often a busy lock is tried. [`FileLocks::holder`] of another session acquires it for an instant, which must not count as
/// busy.
const MAX_TRIES: u32 = 3;

/// The delay between two tries.
const RETRY_DELAY: Duration = Duration::from_millis(3);

/// The locks of one session.
#[derive(Debug)]
pub(crate) struct FileLocks {
    database: PathBuf,
    read_only: bool,
    held: BTreeMap<LockKey, LockedFile>,
}

#[derive(Debug)]
struct LockedFile {
    path: PathBuf,
    file: File,
    since: String,
}

impl FileLocks {
    pub(super) fn new(database: PathBuf, read_only: bool) -> Self {
        Self {
            database,
            read_only,
            held: BTreeMap::new(),
        }
    }

    pub(super) fn try_lock(&mut self, key: &LockKey) -> Result<bool> {
        if self.holds(key) {
            return Ok(true);
        }
        self.held.remove(key);
        if self.read_only {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a database opened with mode=ro cannot be migrated",
            ));
        }
        let path = self.path(key)?;
        for attempt in 1.. {
            let file = open(&path).map_err(|error| cannot_use_error(&path, error))?;
            match file.try_lock() {
                Ok(()) if is_same_file(&file, &path) => {
                    let mut locked = LockedFile {
                        path,
                        file,
                        since: now(),
                    };
                    permissions::copy(&self.database, &locked.file);
                    locked.write_holder_info(None);
                    self.held.insert(key.clone(), locked);
                    return Ok(true);
                }
                // The file was replaced between the two calls.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if attempt >= MAX_TRIES => break,
                Err(TryLockError::WouldBlock) => std::thread::sleep(RETRY_DELAY),
                Err(TryLockError::Error(error)) => return Err(cannot_use_error(&path, error)),
            }
        }
        Ok(false)
    }

    /// Returns whether this session holds the lock.
    ///
    /// The operating system releases a lock only with its file. A file that was deleted or replaced no longer excludes others,
    /// because they lock another file.
    pub(super) fn holds(&self, key: &LockKey) -> bool {
        self.held
            .get(key)
            .is_some_and(|locked| is_same_file(&locked.file, &locked.path))
    }

    pub(super) fn unlock(&mut self, key: &LockKey) -> bool {
        let held = self.holds(key);
        if let Some(locked) = self.held.remove(key)
            && held
        {
            // A migration may have created the database.
            permissions::copy(&self.database, &locked.file);
            // The file is not deleted: two processes could then lock two files of the same name.
            let _ = locked.file.set_len(0);
            return locked.file.unlock().is_ok();
        }
        false
    }

    pub(super) fn holder(&self, key: &LockKey) -> Result<Option<LockHolder>> {
        let path = self.path(key)?;
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot_use_error(&path, error)),
        };
        let mut text = String::new();
        // Some operating systems do not allow a locked file to be read. The holder is then reported without fields.
        let _ = file.read_to_string(&mut text);
        if !self.holds(key) && file.try_lock_shared().is_ok() {
            return Ok(None);
        }
        Ok(Some(parse_holder(&text)))
    }

    pub(super) fn set_migration(&mut self, migration: &str) {
        self.held
            .values_mut()
            .for_each(|locked| locked.write_holder_info(Some(migration)));
    }

    fn path(&self, key: &LockKey) -> Result<PathBuf> {
        let database = resolve_symlinks(&self.database)
            .map_err(|error| cannot_use_error(&self.database, error))?;
        let mut name = database.file_name().unwrap_or_default().to_owned();
        name.push(format!("-lockage-{}.lock", file_name_part(key)));
        Ok(database.with_file_name(name))
    }
}

impl LockedFile {
    /// Writes the holder into the file. Errors are ignored: the lock does not depend on the text.
    fn write_holder_info(&mut self, migration: Option<&str>) {
        let text = format_holder(&self.since, migration);
        let _ = self
            .file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .and_then(|()| self.file.write_all(text.as_bytes()));
    }
}

/// Opens a lock file and creates it if necessary. A file that this user may only read can be locked too; it then has no holder
/// info.
fn open(path: &Path) -> io::Result<File> {
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path);
    match opened {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            File::open(path).map_err(|_| error)
        }
        opened => opened,
    }
}

fn cannot_use_error(path: &Path, error: io::Error) -> Error {
    let message = format!("cannot use the lock file {}: {error}", path.display());
    Error::new(ErrorKind::Connect, message)
        .with_hint(
            "grant the migrating user write access to the folder of the database; SQLite needs it too",
        )
        .with_source(error)
}

/// Returns whether the path still leads to an open file.
#[cfg(unix)]
fn is_same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id =
        |found: io::Result<std::fs::Metadata>| found.map(|found| (found.dev(), found.ino())).ok();
    id(file.metadata()).is_some_and(|open| Some(open) == id(path.metadata()))
}

/// Returns whether the path still leads to an open file, which cannot be deleted on this operating system.
#[cfg(not(unix))]
fn is_same_file(_: &File, path: &Path) -> bool {
    path.exists()
}
