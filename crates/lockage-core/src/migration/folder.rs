use std::io;
use std::path::{Path, PathBuf};

use crate::{Error, ErrorKind, Result};

/// Every `.sql` file below a folder, in no particular order. Links to folders are followed once.
pub(super) fn sql_files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut visited = Vec::new();
    walk(root, &mut visited, &mut files).map_err(|(path, error)| {
        let problem = match error.kind() {
            io::ErrorKind::NotFound => "does not exist".to_owned(),
            io::ErrorKind::NotADirectory => "is not a folder".to_owned(),
            _ => format!("cannot be read: {error}"),
        };
        Error::new(
            ErrorKind::InvalidConfig,
            format!("the migrations folder {} {problem}", path.display()),
        )
        .with_hint("name the folder with --dir, LOCKAGE_DIR or `dir` in lockage.toml")
        .with_source(error)
    })?;
    Ok(files)
}

fn walk(
    folder: &Path,
    visited: &mut Vec<PathBuf>,
    files: &mut Vec<PathBuf>,
) -> Result<(), (PathBuf, io::Error)> {
    let at = |error| (folder.to_owned(), error);
    let real = folder.canonicalize().map_err(at)?;
    if visited.contains(&real) {
        return Ok(());
    }
    visited.push(real);
    for entry in folder.read_dir().map_err(at)? {
        let path = entry.map_err(at)?.path();
        // A dangling link fails here rather than being skipped.
        let kind = path.metadata().map_err(|error| (path.clone(), error))?;
        if kind.is_dir() {
            walk(&path, visited, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("sql"))
        {
            files.push(path);
        }
    }
    Ok(())
}
