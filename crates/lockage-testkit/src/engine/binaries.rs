use std::path::{Path, PathBuf};

/// The folder that holds a program: of the given folders, newest version first, or of those in `search_path`, as `PATH` writes it.
pub(super) fn folder_of(program: &str, known: &Path, search_path: &str) -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = known
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
    let known = versions.into_iter().map(|version| version.join("bin"));
    let searched = std::env::split_paths(search_path);
    known
        .chain(searched)
        .find(|folder| folder.join(program).is_file())
}
