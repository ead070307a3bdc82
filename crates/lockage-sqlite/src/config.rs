//! The location of a database, read from its URL.

use std::io;
use std::path::{Path, PathBuf};

use lockage_core::{DatabaseUrl, Error, ErrorKind, Result, Status};
use percent_encoding::percent_decode_str;

/// The maximum number of symbolic links in a chain.
const MAX_SYMLINKS: u32 = 40;

/// The location of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ConnectConfig {
    /// A file.
    File {
        path: PathBuf,
        /// Set by `mode=ro`: the file is never written.
        read_only: bool,
    },
    /// Memory of one session.
    Memory,
    /// Memory that is shared by all sessions of this process that use the name.
    SharedMemory(String),
}

impl ConnectConfig {
    /// Parses a URL.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] for a missing path and for an unknown parameter.
    pub(crate) fn parse(url: &DatabaseUrl) -> Result<Self> {
        let location = url.secret_after_scheme();
        let (path, query) = location.split_once('?').unwrap_or((location, ""));
        let invalid = |problem: String| {
            Error::new(
                ErrorKind::InvalidConfig,
                format!("{problem} in the database URL {url}"),
            )
            .with_hint("write sqlite:path/to/file.db, sqlite:file.db?mode=ro or sqlite::memory:; the parameters are mode and cache")
        };
        let (mut memory, mut read_only) = (path == ":memory:", false);
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=').unwrap_or((parameter, "")) {
                ("mode", "memory") => memory = true,
                ("mode", "ro") => read_only = true,
                ("mode", "rw" | "rwc") | ("cache", "shared" | "private") => {}
                _ => return Err(invalid(format!("unknown parameter `{parameter}`"))),
            }
        }
        let path = path.strip_prefix("file:").unwrap_or(path);
        let path = path.strip_prefix("//").unwrap_or(path);
        let path = percent_decode_str(path)
            .decode_utf8()
            .map_err(|_| invalid("a path that is not UTF-8".into()))?;
        match &*path {
            ":memory:" => Ok(Self::Memory),
            "" if memory => Ok(Self::Memory),
            "" => Err(invalid("no path".into())),
            name if memory => Ok(Self::SharedMemory(name.to_owned())),
            path => Ok(Self::File {
                path: PathBuf::from(path),
                read_only,
            }),
        }
    }

    pub(crate) fn is_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }

    /// Checks that the file can exist in its folder. Creates the folder if `create` is set.
    ///
    /// # Errors
    /// [`ErrorKind::Connect`] with the reason.
    pub(crate) fn prepare_parent_dir(&self, create: bool) -> Result<()> {
        let Self::File { path, .. } = self else {
            return Ok(());
        };
        let folder = parent_dir(path);
        if create {
            std::fs::create_dir_all(folder).map_err(|error| cannot_open_error(folder, error))?;
        }
        match folder.metadata() {
            Ok(found) if !found.is_dir() => Err(cannot_open_error(
                folder,
                io::ErrorKind::NotADirectory.into(),
            )),
            Ok(_) if path.is_dir() => {
                Err(cannot_open_error(path, io::ErrorKind::IsADirectory.into()))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(cannot_open_error(folder, error)
                .with_status(Status::DatabaseMissing)
                .with_hint("create the folder, or use --create (ConnectOptions::create)")),
        }
    }
}

/// Returns the path of a file with all symbolic links resolved, so that one database has one lock.
pub(crate) fn resolve_symlinks(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    // `canonicalize` fails for a file that does not exist yet, so a link to such a file is followed here.
    for _ in 0..MAX_SYMLINKS {
        match path.canonicalize() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = parent_dir(&path).canonicalize()?;
                match path.read_link() {
                    Ok(target) => path = folder.join(target),
                    Err(_) => return Ok(folder.join(path.file_name().ok_or(error)?)),
                }
            }
            resolved => return resolved,
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

fn parent_dir(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn cannot_open_error(path: &Path, error: io::Error) -> Error {
    Error::new(
        ErrorKind::Connect,
        format!("cannot use {}: {error}", path.display()),
    )
    .with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<ConnectConfig> {
        ConnectConfig::parse(&DatabaseUrl::parse(url).unwrap())
    }

    fn file(path: &str) -> ConnectConfig {
        ConnectConfig::File {
            path: path.into(),
            read_only: false,
        }
    }

    #[test]
    fn file_and_memory_urls_are_parsed() {
        assert_eq!(parse("sqlite:app.db").unwrap(), file("app.db"));
        assert_eq!(parse("sqlite://app.db").unwrap(), file("app.db"));
        assert_eq!(parse("sqlite:/var/app.db").unwrap(), file("/var/app.db"));
        assert_eq!(
            parse("sqlite:///var/my%20app.db?mode=rwc").unwrap(),
            file("/var/my app.db")
        );
        assert_eq!(parse("sqlite:file:app.db").unwrap(), file("app.db"));
        assert_eq!(
            parse("sqlite:a.db?mode=ro").unwrap(),
            ConnectConfig::File {
                path: "a.db".into(),
                read_only: true
            }
        );
        assert_eq!(parse("sqlite::memory:").unwrap(), ConnectConfig::Memory);
        assert_eq!(
            parse("sqlite:file:x?mode=memory&cache=shared").unwrap(),
            ConnectConfig::SharedMemory("x".into())
        );
    }

    #[cfg(unix)]
    #[test]
    fn symlink_to_missing_file_is_resolved() {
        let folder = tempfile::tempdir().unwrap();
        let (links, real) = (folder.path().join("links"), folder.path().join("real"));
        std::fs::create_dir(&links).unwrap();
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink("../real/app.db", links.join("app.db")).unwrap();
        let before = resolve_symlinks(&links.join("app.db")).unwrap();
        std::fs::write(real.join("app.db"), "").unwrap();
        assert_eq!(before, resolve_symlinks(&links.join("app.db")).unwrap());
        assert_eq!(before, real.canonicalize().unwrap().join("app.db"));
    }

    #[test]
    fn invalid_url_error_names_the_problem() {
        for (url, part) in [
            ("sqlite:", "no path"),
            ("sqlite:a.db?mod=ro", "unknown parameter `mod=ro`"),
        ] {
            let error = parse(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(error.message().contains(part), "{error}");
        }
    }
}
