//! Mode and owner of a lock file: those of the database, so that every user who can write the database can lock it.

use std::fs::File;
use std::path::Path;

/// The bits of a mode that a lock file can have: read and write.
#[cfg(unix)]
const READ_WRITE: u32 = 0o666;

/// Gives a lock file the mode and, if this process may change it, the owner of the database. Without a database, and for another
/// user than the owner of the lock file, nothing changes.
#[cfg(unix)]
pub(super) fn copy(database: &Path, lock: &File) {
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let (Ok(database), Ok(found)) = (database.metadata(), lock.metadata()) else {
        return;
    };
    let owner = (database.uid(), database.gid());
    if (found.uid(), found.gid()) != owner {
        // Only root may change the owner. Others keep it.
        let _ = fchown(lock, Some(owner.0), Some(owner.1));
    }
    let mode = database.mode() & READ_WRITE;
    if found.mode() & READ_WRITE != mode {
        let _ = lock.set_permissions(Permissions::from_mode(mode));
    }
}

/// Does nothing: a new file inherits the rights of its folder.
#[cfg(not(unix))]
pub(super) fn copy(_database: &Path, _lock: &File) {}
