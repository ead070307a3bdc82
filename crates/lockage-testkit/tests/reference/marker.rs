//! Files by which the fixture controls sessions without the backend: closed barriers, locked tables and terminated sessions.

use std::path::{Path, PathBuf};

pub(crate) fn closed(folder: &Path, barrier: &str) -> PathBuf {
    folder.join(format!("closed-{barrier}"))
}

pub(crate) fn reached(folder: &Path, barrier: &str) -> PathBuf {
    folder.join(format!("reached-{barrier}"))
}

pub(crate) fn terminated(folder: &Path, session: &str) -> PathBuf {
    folder.join(format!("terminated-{session}"))
}

pub(crate) fn locked(folder: &Path, table: &str) -> PathBuf {
    folder.join(format!("locked-{table}"))
}
