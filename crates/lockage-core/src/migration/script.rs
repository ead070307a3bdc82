use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

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
                let opened = open_file(path).map_err(|error| read_error(file, error))?;
                match expected {
                    None => Inner::File(opened),
                    Some(expected) => {
                        let checked = CheckedFile::new(opened, expected)
                            .map_err(|error| read_error(file, error))?;
                        Inner::Checked(checked)
                    }
                }
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

/// Opens a regular file. Opening or reading a pipe or a device may never end.
fn open_file(path: &Path) -> io::Result<File> {
    let check = |found: std::fs::Metadata| match found.is_file() {
        true => Ok(()),
        false => Err(io::Error::other("it is not a regular file")),
    };
    check(path.metadata()?)?;
    let file = File::open(path)?;
    check(file.metadata()?)?;
    Ok(file)
}

/// The size of the parts of a file that are checked separately.
const PART_LEN: usize = 64 * 1024;

/// A file whose content had the expected checksum when it was opened. A part that has changed since then is not returned.
struct CheckedFile {
    file: File,
    /// The digests of the parts, as they were when the file was opened.
    digests: std::vec::IntoIter<[u8; 32]>,
    part: io::Cursor<Vec<u8>>,
}

impl CheckedFile {
    fn new(mut file: File, expected: Checksum) -> io::Result<Self> {
        let mut hasher = ScriptHasher::default();
        let mut digests = Vec::new();
        loop {
            let part = read_part(&mut file)?;
            if part.is_empty() {
                break;
            }
            hasher.update(&part);
            digests.push(Sha256::digest(&part).into());
        }
        if hasher.finish() != expected {
            return Err(changed_error());
        }
        file.rewind()?;
        Ok(Self {
            file,
            digests: digests.into_iter(),
            part: io::Cursor::default(),
        })
    }
}

impl Read for CheckedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.part.read(buffer)?;
        if n > 0 || buffer.is_empty() {
            return Ok(n);
        }
        let part = read_part(&mut self.file)?;
        match self.digests.next() {
            None if part.is_empty() => Ok(0),
            Some(digest) if digest == <[u8; 32]>::from(Sha256::digest(&part)) => {
                self.part = io::Cursor::new(part);
                self.part.read(buffer)
            }
            _ => Err(changed_error()),
        }
    }
}

fn read_part(file: &mut File) -> io::Result<Vec<u8>> {
    let mut part = Vec::new();
    file.take(PART_LEN as u64).read_to_end(&mut part)?;
    Ok(part)
}

fn changed_error() -> io::Error {
    io::Error::other("the file changed while it was being read")
}

/// Reads a script from its start, and only what had the expected checksum when it was opened. What runs is therefore what was
/// checked when the set was loaded.
pub struct ScriptReader {
    inner: Inner,
    hasher: Option<ScriptHasher>,
    expected: Option<Checksum>,
}

enum Inner {
    File(File),
    Checked(CheckedFile),
    Text(Cow<'static, str>, usize),
}

impl Read for ScriptReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = match &mut self.inner {
            Inner::File(file) => file.read(buffer)?,
            Inner::Checked(file) => file.read(buffer)?,
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
            return Err(changed_error());
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
        let changed = script.open("a", Some(Checksum::of(b"SELECT 1;")));
        assert!(changed.unwrap_err().message().contains("changed"));
    }

    #[test]
    fn part_that_changes_during_reading_is_not_returned() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("V1__a.sql");
        let text = "SELECT 1;\n".repeat(20_000);
        for change in [
            text.clone() + "SELECT 2;\n",
            text[..text.len() - 1].to_owned(),
            text.replace("1;", "3;"),
        ] {
            std::fs::write(&path, &text).unwrap();
            let script = Script::File(path.clone());
            let mut reader = script
                .open("a", Some(Checksum::of(text.as_bytes())))
                .unwrap();
            let mut first = [0; 1000];
            reader.read_exact(&mut first).unwrap();
            std::fs::write(&path, change).unwrap();
            let mut rest = Vec::new();
            let error = reader.read_to_end(&mut rest).unwrap_err();
            assert!(error.to_string().contains("changed"), "{error}");
            let returned = [&first[..], &rest].concat();
            assert!(text.as_bytes().starts_with(&returned));
        }
    }

    #[cfg(unix)]
    #[test]
    fn file_that_becomes_a_device_is_refused() {
        let script = Script::File("/dev/zero".into());
        let error = script.open("a", None).unwrap_err();
        assert!(error.message().contains("not a regular file"), "{error}");
    }
}
