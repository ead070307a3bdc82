use std::io;
use std::path::{Path, PathBuf};

use super::script::unreadable;
use crate::{Error, ErrorKind, Location, Result};

/// Every `.sql` file below a folder, by its path, and what is wrong with those that cannot be migrations. Links to folders are
/// followed once.
pub(super) fn sql_files(root: &Path) -> Result<(Vec<PathBuf>, Vec<Error>)> {
    let mut found = Found::default();
    found.walk(root).map_err(|(path, error)| {
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
    Ok((found.files, found.mistakes))
}

#[derive(Default)]
struct Found {
    visited: Vec<PathBuf>,
    files: Vec<PathBuf>,
    mistakes: Vec<Error>,
}

impl Found {
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
        paths.sort();
        for path in paths {
            let is_sql = path
                .extension()
                .is_some_and(|extension| extension.eq_ignore_ascii_case("sql"));
            match path.metadata() {
                Ok(found) if found.is_dir() => self.walk(&path)?,
                Ok(_) if !is_sql => {}
                Ok(found) if found.is_file() => self.file(path),
                // A pipe or a device might never end.
                Ok(_) => self.mistakes.push(wrong(&path, "is not a file")),
                // A link that leads nowhere is told rather than skipped, whatever it was to lead to.
                Err(error) => self
                    .mistakes
                    .push(unreadable(&path.display().to_string(), error)),
            }
        }
        Ok(())
    }

    fn file(&mut self, path: PathBuf) {
        if path.file_name().is_some_and(|name| name.to_str().is_none()) {
            self.mistakes
                .push(wrong(&path, "has a name that is not UTF-8"));
        } else {
            self.files.push(path);
        }
    }
}

fn wrong(path: &Path, what: &str) -> Error {
    let file = path.display().to_string();
    Error::new(ErrorKind::InvalidMigration, format!("{file} {what}"))
        .with_location(Location::file(file))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn invalid_entries_are_reported_with_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let _socket = std::os::unix::net::UnixListener::bind(path("V4__socket.sql")).unwrap();
        std::os::unix::fs::symlink("nowhere", path("V3__link.sql")).unwrap();
        std::fs::write(path("V2__b.sql"), "").unwrap();
        std::fs::write(path("V1__a.sql"), "").unwrap();
        std::fs::write(folder.path().join(OsStr::from_bytes(b"V5__\xFF.sql")), "").unwrap();
        std::fs::create_dir(path("V6__folder.sql")).unwrap();
        std::fs::write(path("V6__folder.sql/V0__c.sql"), "").unwrap();
        let (files, mistakes) = sql_files(folder.path()).unwrap();
        let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap()).collect();
        assert_eq!(names, ["V1__a.sql", "V2__b.sql", "V0__c.sql"]);
        let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(
            told[0].contains("V3__link.sql: cannot read the file"),
            "{told:?}"
        );
        assert!(
            told[1].ends_with("V4__socket.sql is not a file"),
            "{told:?}"
        );
        assert!(
            told[2].ends_with("has a name that is not UTF-8"),
            "{told:?}"
        );
        assert!(
            mistakes
                .iter()
                .all(|error| error.kind() == ErrorKind::InvalidMigration)
        );
    }
}
