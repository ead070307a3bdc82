use std::io;
use std::path::{Path, PathBuf};

use lockage_core::{DatabaseUrl, Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// In a file.
    File {
        path: PathBuf,
        /// `mode=ro`: never written.
        read_only: bool,
    },
    /// In memory, for one session.
    Memory,
    /// In memory, for every session of this process that uses the name.
    SharedMemory(String),
}

impl Address {
    pub(crate) fn parse(url: &DatabaseUrl) -> Result<Self> {
        let rest = url.expose_rest();
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let wrong = |what: String| {
            Error::new(
                ErrorKind::InvalidConfig,
                format!("{what} in the database URL {url}"),
            )
            .with_hint("write sqlite:path/to/file.db, sqlite:file.db?mode=ro or sqlite::memory:")
        };
        let (mut memory, mut read_only) = (place == ":memory:", false);
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=').unwrap_or((parameter, "")) {
                ("mode", "memory") => memory = true,
                ("mode", "ro") => read_only = true,
                ("mode", "rw" | "rwc") | ("cache", "shared" | "private") => {}
                _ => return Err(wrong(format!("unknown parameter `{parameter}`"))),
            }
        }
        let place = place.strip_prefix("file:").unwrap_or(place);
        let place = place.strip_prefix("//").unwrap_or(place);
        let place = percent_decode_str(place)
            .decode_utf8()
            .map_err(|_| wrong("a path that is not UTF-8".into()))?;
        match &*place {
            ":memory:" => Ok(Self::Memory),
            "" if memory => Ok(Self::Memory),
            "" => Err(wrong("no path".into())),
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

    /// Checks that the file can stand where it is to stand; makes the folder when asked to.
    pub(crate) fn prepare_folder(&self, create: bool) -> Result<()> {
        let Self::File { path, .. } = self else {
            return Ok(());
        };
        let folder = folder_of(path);
        if create {
            std::fs::create_dir_all(folder).map_err(|error| unreachable(folder, error))?;
        }
        match folder.metadata() {
            Ok(found) if !found.is_dir() => {
                Err(unreachable(folder, io::ErrorKind::NotADirectory.into()))
            }
            Ok(_) if path.is_dir() => Err(unreachable(path, io::ErrorKind::IsADirectory.into())),
            Ok(_) => Ok(()),
            Err(error) => Err(unreachable(folder, error)
                .with_status(Status::DatabaseMissing)
                .with_hint("make the folder, or let --create (ConnectOptions::create) make it")),
        }
    }

    /// The file's path with every link resolved, so that one database has one lock.
    pub(crate) fn resolved(path: &Path) -> io::Result<PathBuf> {
        let mut path = path.to_owned();
        // A link may lead to a file that is still to be made.
        for _ in 0..LONGEST_CHAIN {
            match path.canonicalize() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let folder = folder_of(&path).canonicalize()?;
                    match path.read_link() {
                        Ok(target) => path = folder.join(target),
                        Err(_) => return Ok(folder.join(path.file_name().ok_or(error)?)),
                    }
                }
                resolved => return resolved,
            }
        }
        Err(io::Error::other("too many links"))
    }
}

/// No longer chain of links is followed.
const LONGEST_CHAIN: u32 = 40;

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn unreachable(path: &Path, error: io::Error) -> Error {
    Error::new(
        ErrorKind::Connect,
        format!("cannot use {}: {error}", path.display()),
    )
    .with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Address> {
        Address::parse(&DatabaseUrl::parse(url).unwrap())
    }

    fn file(path: &str) -> Address {
        Address::File {
            path: path.into(),
            read_only: false,
        }
    }

    #[test]
    fn urls_of_files_and_of_memory() {
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
            Address::File {
                path: "a.db".into(),
                read_only: true
            }
        );
        assert_eq!(parse("sqlite::memory:").unwrap(), Address::Memory);
        assert_eq!(
            parse("sqlite:file:x?mode=memory&cache=shared").unwrap(),
            Address::SharedMemory("x".into())
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_file_that_is_still_to_be_made_leads_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let (links, real) = (folder.path().join("links"), folder.path().join("real"));
        std::fs::create_dir(&links).unwrap();
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink("../real/app.db", links.join("app.db")).unwrap();
        let before = Address::resolved(&links.join("app.db")).unwrap();
        std::fs::write(real.join("app.db"), "").unwrap();
        assert_eq!(before, Address::resolved(&links.join("app.db")).unwrap());
        assert_eq!(before, real.canonicalize().unwrap().join("app.db"));
    }

    #[test]
    fn wrong_urls_say_what_is_wrong() {
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
