use std::path::{Path, PathBuf};

/// Returns the folder that contains `program`: the newest version under `versions_dir`, or a folder of `search_path`, which has the
/// syntax of `PATH`.
pub(super) fn folder_of(program: &str, versions_dir: &Path, search_path: &str) -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = versions_dir
        .read_dir()
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    versions.sort_by_key(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        std::cmp::Reverse(name.parse::<u32>().unwrap_or(0))
    });
    let versioned = versions.into_iter().map(|version| version.join("bin"));
    versioned
        .chain(std::env::split_paths(search_path))
        .find(|folder| folder.join(program).is_file())
}
