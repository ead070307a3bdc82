//! Locks that are files beside the database.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use lockage_core::{Error, ErrorKind, LockHolder, LockKey, Result};

use super::file_name_part;
use crate::address::Address;

/// Whoever asks for the holder touches the lock for an instant; a try that meets that instant is repeated.
const TRIES: u32 = 3;
const BETWEEN_TRIES: Duration = Duration::from_millis(3);

/// The locks of one session.
#[derive(Debug)]
pub(crate) struct FileLocks {
    database: PathBuf,
    read_only: bool,
    held: BTreeMap<LockKey, HeldFile>,
}

#[derive(Debug)]
struct HeldFile {
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
            let file = open(&path).map_err(|error| unusable(&path, error))?;
            match file.try_lock() {
                Ok(()) if is_at(&file, &path) => {
                    let mut held = HeldFile {
                        path,
                        file,
                        since: now(),
                    };
                    held.write_note(None);
                    self.held.insert(key.clone(), held);
                    return Ok(true);
                }
                // Somebody replaced the file between the two calls.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if attempt >= TRIES => break,
                Err(TryLockError::WouldBlock) => std::thread::sleep(BETWEEN_TRIES),
                Err(TryLockError::Error(error)) => return Err(unusable(&path, error)),
            }
        }
        Ok(false)
    }

    /// The operating system frees a lock only with its file; what can go wrong is that the file was removed or replaced, so
    /// that others lock another one.
    pub(super) fn holds(&self, key: &LockKey) -> bool {
        self.held
            .get(key)
            .is_some_and(|held| is_at(&held.file, &held.path))
    }

    pub(super) fn unlock(&mut self, key: &LockKey) -> bool {
        let held = self.holds(key);
        if let Some(lock) = self.held.remove(key)
            && held
        {
            // The file stays: removing it would let two processes lock two files of one name.
            let _ = lock.file.set_len(0);
            return lock.file.unlock().is_ok();
        }
        false
    }

    pub(super) fn holder(&self, key: &LockKey) -> Result<Option<LockHolder>> {
        let path = self.path(key)?;
        let mut note = String::new();
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(&path, error)),
        };
        // Where the operating system keeps readers out of a locked file, the holder is there and has no name.
        let _ = file.read_to_string(&mut note);
        if !self.holds(key) && file.try_lock_shared().is_ok() {
            return Ok(None);
        }
        let field = |name: &str| {
            let line = note
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.filter(|value| !value.is_empty()).map(str::to_owned)
        };
        let mut holder = LockHolder::default();
        holder.session = field("pid");
        holder.host = field("host");
        holder.application = field("application");
        holder.since = field("since");
        holder.migration = field("migration");
        Ok(Some(holder))
    }

    pub(super) fn note_migration(&mut self, migration: &str) {
        self.held
            .values_mut()
            .for_each(|held| held.write_note(Some(migration)));
    }

    fn path(&self, key: &LockKey) -> Result<PathBuf> {
        let database =
            Address::resolved(&self.database).map_err(|error| unusable(&self.database, error))?;
        let mut name = database.file_name().unwrap_or_default().to_owned();
        name.push(format!("-lockage-{}.lock", file_name_part(key)));
        Ok(database.with_file_name(name))
    }
}

impl HeldFile {
    /// A courtesy to whoever asks; the lock does not depend on it.
    fn write_note(&mut self, migration: Option<&str>) {
        let note = format!(
            "pid={}\nhost={}\napplication=lockage {}\nsince={}\nmigration={}\n",
            std::process::id(),
            lockage_sql::client_host(),
            env!("CARGO_PKG_VERSION"),
            self.since,
            migration.unwrap_or_default().replace('\n', " "),
        );
        let _ = self
            .file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .and_then(|()| self.file.write_all(note.as_bytes()));
    }
}

fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

fn unusable(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Connect, format!("cannot use the lock file {}: {error}", path.display()))
        .with_hint("the user that migrates needs the right to write the folder of the database, as SQLite itself does")
        .with_source(error)
}

/// Whether an open file is still the one that has the name.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id =
        |found: io::Result<std::fs::Metadata>| found.map(|found| (found.dev(), found.ino())).ok();
    id(file.metadata()).is_some_and(|open| Some(open) == id(path.metadata()))
}

/// An open file cannot be removed there.
#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}
