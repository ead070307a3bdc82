use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use super::checksum::{Checksum, ScriptHasher};
use crate::{Error, ErrorKind, Location, Result};

/// The source of a script. A file is read when it is needed and not kept, so that many or large migrations need no memory.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Script {
    /// A file.
    File(PathBuf),
    /// A text in the program.
    Text(Cow<'static, str>),
    /// A text that the program rendered from a template. The checksum of the migration is that of the template.
    Rendered(String),
}

impl Script {
    /// Opens the script. With an expected checksum, the reader fails at the end of a script with another one.
    pub(super) fn open(&self, file: &str, expected: Option<Checksum>) -> Result<ScriptReader> {
        let mut expected = expected;
        let inner = match self {
            Self::File(path) => {
                Inner::File(File::open(path).map_err(|error| read_error(file, error))?)
            }
            Self::Text(text) => Inner::Text(text.clone(), 0),
            Self::Rendered(text) => {
                expected = None;
                Inner::Text(Cow::Owned(text.clone()), 0)
            }
        };
        Ok(ScriptReader {
            inner,
            hasher: Some(ScriptHasher::default()),
            expected,
        })
    }
}

pub(super) fn read_error(file: &str, error: io::Error) -> Error {
    Error::new(
        ErrorKind::InvalidMigration,
        format!("cannot read the file: {error}"),
    )
    .with_location(Location::file(file))
    .with_source(error)
}

/// Reads a script from its start. The last read fails if the checksum changed since the set was loaded.
pub struct ScriptReader {
    inner: Inner,
    hasher: Option<ScriptHasher>,
    expected: Option<Checksum>,
}

enum Inner {
    File(File),
    Text(Cow<'static, str>, usize),
}

impl Read for ScriptReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = match &mut self.inner {
            Inner::File(file) => file.read(buffer)?,
            Inner::Text(text, at) => {
                let n = (&text.as_bytes()[*at..]).read(buffer)?;
                *at += n;
                n
            }
        };
        if n > 0 {
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&buffer[..n]);
            }
        } else if !buffer.is_empty()
            && let Some(hasher) = self.hasher.take()
            && let Some(expected) = self.expected
            && hasher.finish() != expected
        {
            return Err(io::Error::other("the file changed while it was being read"));
        }
        Ok(n)
    }
}

impl std::fmt::Debug for ScriptReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScriptReader")
            .field("expected", &self.expected)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_script_fails_at_end_of_reading() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("V1__a.sql");
        std::fs::write(&path, "SELECT 1;").unwrap();
        let script = Script::File(path.clone());
        let mut text = String::new();
        script
            .open("a", Some(Checksum::of(b"SELECT 1;")))
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "SELECT 1;");
        std::fs::write(&path, "SELECT 2;").unwrap();
        let changed = script
            .open("a", Some(Checksum::of(b"SELECT 1;")))
            .unwrap()
            .read_to_string(&mut text);
        assert!(changed.unwrap_err().to_string().contains("changed"));
    }
}
