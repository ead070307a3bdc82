use std::path::Path;

use tempfile::TempDir;

use crate::Failure;
use crate::process_mark::ProcessMark;

/// A folder for a server's data, in the system's folder for what is temporary. It is removed when dropped; what a killed process left is
/// removed by the next that makes one for the same engine.
///
/// # Errors
/// When it cannot be made.
pub fn own_folder(engine: &str) -> Result<TempDir, Failure> {
    own_folder_in(&std::env::temp_dir(), engine)
}

fn own_folder_in(parent: &Path, engine: &str) -> Result<TempDir, Failure> {
    let prefix = format!("lockage-{engine}-");
    for entry in std::fs::read_dir(parent)?.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(&prefix));
        let owner = owner.and_then(|rest| ProcessMark::parse(rest.rsplit_once('-')?.0, '-'));
        if owner.is_some_and(|owner| owner.is_gone()) {
            // Another process may be at it as well, and somebody else's cannot be removed.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    let mark = ProcessMark::this().written('-');
    Ok(tempfile::Builder::new()
        .prefix(&format!("{prefix}{mark}-"))
        .tempdir_in(parent)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_dead_left_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        let names = ["acme-1-1-x", "acme-kept", "other-1-1-x"];
        for name in names {
            std::fs::create_dir(parent.path().join(format!("lockage-{name}"))).unwrap();
        }
        let ours = own_folder_in(parent.path(), "acme").unwrap();
        let second = own_folder_in(parent.path(), "acme").unwrap();
        assert!(ours.path().is_dir() && second.path().is_dir());
        let left = names.map(|name| parent.path().join(format!("lockage-{name}")).is_dir());
        assert_eq!(left, [false, true, true]);
    }
}
