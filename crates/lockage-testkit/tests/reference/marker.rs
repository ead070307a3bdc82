//! Files by which fixture and sessions talk behind the backend's back: closed barriers, ended sessions.

use std::path::{Path, PathBuf};

pub(crate) fn closed(folder: &Path, barrier: &str) -> PathBuf {
    folder.join(format!("closed-{barrier}"))
}

pub(crate) fn wait_reached(folder: &Path, barrier: &str) -> PathBuf {
    folder.join(format!("reached-{barrier}"))
}

pub(crate) fn ended(folder: &Path, session: &str) -> PathBuf {
    folder.join(format!("ended-{session}"))
}
