use std::io;
use std::path::{Path, PathBuf};

use super::script::read_error;
use crate::{Error, ErrorKind, Location, Result};

/// Returns every `.sql` file below a folder, sorted by path, and the errors of those that cannot be migrations. Symbolic links
/// to folders are followed once. Entries whose name begins with a dot are not read: editors, version control and mounted
/// ConfigMaps (`..data`) keep copies of files in them.
pub(super) fn sql_files(root: &Path) -> Result<(Vec<PathBuf>, Vec<Error>)> {
    let mut scanned = ScannedFolder::default();
    scanned.walk(root).map_err(|(path, error)| {
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
    Ok((scanned.files, scanned.errors))
}

#[derive(Default)]
struct ScannedFolder {
    visited: Vec<PathBuf>,
    files: Vec<PathBuf>,
    errors: Vec<Error>,
}

impl ScannedFolder {
    fn walk(&mut self, folder: &Path) -> Result<(), (PathBuf, io::Error)> {
        let at = |error| (folder.to_owned(), error);
        let real = folder.canonicalize().map_err(at)?;
        if self.visited.contains(&real) {
            return Ok(());
        }
        self.visited.push(real);
        let entries = folder.read_dir().map_err(at)?;
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()
            .map_err(at)?;
        paths.retain(|path| !is_hidden(path));
        paths.sort();
        for path in paths {
            let is_sql = path
                .extension()
                .is_some_and(|extension| extension.eq_ignore_ascii_case("sql"));
            match path.metadata() {
                Ok(found) if found.is_dir() => self.walk(&path)?,
                Ok(_) if !is_sql => {}
                Ok(found) if found.is_file() => self.add_file(path),
                // Reading a pipe or a device may never end.
                Ok(_) => self.errors.push(invalid_entry(&path, "is not a file")),
                // A broken link is an error, not skipped: its target may have been a migration or a folder of migrations.
                Err(error) => self
                    .errors
                    .push(read_error(&path.display().to_string(), error)),
            }
        }
        Ok(())
    }

    fn add_file(&mut self, path: PathBuf) {
        if path.file_name().is_some_and(|name| name.to_str().is_none()) {
            self.errors
                .push(invalid_entry(&path, "has a name that is not UTF-8"));
        } else {
            self.files.push(path);
        }
    }
}

fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_encoded_bytes().starts_with(b".")
}

fn invalid_entry(path: &Path, problem: &str) -> Error {
    let file = path.display().to_string();
    Error::new(ErrorKind::InvalidMigration, format!("{file} {problem}"))
        .with_location(Location::file(file))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    /// The layout of a [ConfigMap](https://kubernetes.io/docs/concepts/storage/volumes/#configmap) in a pod.
    #[test]
    fn hidden_entries_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("..2025")).unwrap();
        std::fs::write(path("..2025/V1__a.sql"), "").unwrap();
        std::os::unix::fs::symlink("..2025", path("..data")).unwrap();
        std::os::unix::fs::symlink("..data/V1__a.sql", path("V1__a.sql")).unwrap();
        std::fs::write(path(".V2__swap.sql"), "").unwrap();
        std::os::unix::fs::symlink("missing", path(".V3__lock.sql")).unwrap();
        let (files, errors) = sql_files(folder.path()).unwrap();
        assert_eq!(files, [path("V1__a.sql")]);
        assert!(errors.is_empty(), "{errors:?}");
        // The folder itself can have such a name.
        assert_eq!(sql_files(&path("..data")).unwrap().0.len(), 1);
    }

    #[test]
    fn invalid_entries_are_reported_with_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let _socket = std::os::unix::net::UnixListener::bind(path("V4__socket.sql")).unwrap();
        std::os::unix::fs::symlink("missing", path("V3__link.sql")).unwrap();
        std::fs::write(path("V2__b.sql"), "").unwrap();
        std::fs::write(path("V1__a.sql"), "").unwrap();
        std::fs::write(folder.path().join(OsStr::from_bytes(b"V5__\xFF.sql")), "").unwrap();
        std::fs::create_dir(path("V6__folder.sql")).unwrap();
        std::fs::write(path("V6__folder.sql/V0__c.sql"), "").unwrap();
        let (files, errors) = sql_files(folder.path()).unwrap();
        let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap()).collect();
        assert_eq!(names, ["V1__a.sql", "V2__b.sql", "V0__c.sql"]);
        let messages: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(messages.len(), 3, "{messages:?}");
        assert!(
            messages[0].contains("V3__link.sql: cannot read the file"),
            "{messages:?}"
        );
        assert!(
            messages[1].ends_with("V4__socket.sql is not a file"),
            "{messages:?}"
        );
        assert!(
            messages[2].ends_with("has a name that is not UTF-8"),
            "{messages:?}"
        );
        assert!(
            errors
                .iter()
                .all(|error| error.kind() == ErrorKind::InvalidMigration)
        );
    }
}
