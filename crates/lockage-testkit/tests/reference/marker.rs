//! Files by which fixture and sessions talk behind the backend's back: closed gates, ended sessions.

use std::path::{Path, PathBuf};

pub(crate) fn closed(folder: &Path, gate: &str) -> PathBuf {
    folder.join(format!("closed-{gate}"))
}

pub(crate) fn reached(folder: &Path, gate: &str) -> PathBuf {
    folder.join(format!("reached-{gate}"))
}

pub(crate) fn ended(folder: &Path, session: &str) -> PathBuf {
    folder.join(format!("ended-{session}"))
}
