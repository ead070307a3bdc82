use std::path::Path;

use lockage_testkit::TestError;
use tempfile::TempDir;

use crate::process_identity::ProcessIdentity;

/// Creates a folder for the data of a server in the system's temporary folder. The folder is removed when the value is dropped. If its
/// process is killed, the next call for the same engine removes it.
///
/// # Errors
/// Fails if the folder cannot be created.
pub fn process_temp_dir(engine: &str) -> Result<TempDir, TestError> {
    process_temp_dir_in(&std::env::temp_dir(), engine)
}

fn process_temp_dir_in(parent: &Path, engine: &str) -> Result<TempDir, TestError> {
    let prefix = format!("lockage-{engine}-");
    for entry in std::fs::read_dir(parent)?.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(&prefix));
        let owner = owner.and_then(|rest| ProcessIdentity::parse(rest.rsplit_once('-')?.0, '-'));
        if owner.is_some_and(|owner| owner.has_exited()) {
            // Another process may remove it at the same time, and the folder of another user cannot be removed.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    let owner = ProcessIdentity::current().format('-');
    Ok(tempfile::Builder::new()
        .prefix(&format!("{prefix}{owner}-"))
        .tempdir_in(parent)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_temp_dir_removes_folders_of_exited_processes_only() {
        let parent = tempfile::tempdir().unwrap();
        let names = ["acme-1-1-x", "acme-kept", "other-1-1-x"];
        for name in names {
            std::fs::create_dir(parent.path().join(format!("lockage-{name}"))).unwrap();
        }
        let first = process_temp_dir_in(parent.path(), "acme").unwrap();
        let second = process_temp_dir_in(parent.path(), "acme").unwrap();
        assert!(first.path().is_dir() && second.path().is_dir());
        let remaining = names.map(|name| parent.path().join(format!("lockage-{name}")).is_dir());
        assert_eq!(remaining, [false, true, true]);
    }
}
