use super::Checksum;
use super::checksum::ScriptHasher;
use super::directive::{self, DirectiveError, Directives};
use crate::{Error, ErrorKind, Location};

/// Reads a script piece by piece, for its encoding, its directives and its checksum.
#[derive(Default)]
pub(super) struct Scan {
    hasher: ScriptHasher,
    directives: Directives,
    /// Bytes that are not yet judged: a character or a line that is cut in two.
    rest: Vec<u8>,
    offset: u64,
    /// Lines that were read to their end.
    lines: u32,
    place: Place,
}

/// What a line belongs to.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The head: comments and blank lines.
    #[default]
    Head,
    /// A block comment in the head.
    Comment,
    /// What is below the head.
    Below,
}

/// A longer line is no directive, and need not be kept whole.
const LONGEST_LINE: usize = 4096;

/// What is wrong with a script.
pub(super) enum ScanError {
    NotUtf8 { offset: u64 },
    Nul { offset: u64 },
    Directive(DirectiveError),
}

impl ScanError {
    pub(super) fn locate(self, file: &str) -> Error {
        let encoding = |offset: u64, what: String, hint| {
            Error::new(ErrorKind::InvalidMigration, what)
                .with_location(Location::file(file))
                .with_hint(hint)
                .with_context("byte_offset", offset.to_string())
        };
        match self {
            Self::NotUtf8 { offset } => encoding(
                offset,
                format!("the file is not UTF-8: byte {offset} is wrong"),
                "save the file as UTF-8",
            ),
            Self::Nul { offset } => encoding(
                offset,
                format!("the file is no text: byte {offset} is zero"),
                "save the file as UTF-8; a file in UTF-16 looks so",
            ),
            Self::Directive(error) => Error::new(ErrorKind::InvalidMigration, error.message)
                .with_location(Location::at(file, error.line, 1).with_line_text(error.line_text)),
        }
    }
}

impl Scan {
    pub(super) fn update(&mut self, bytes: &[u8]) -> Result<(), ScanError> {
        self.hasher.update(bytes);
        let known = self.rest.len();
        self.rest.extend_from_slice(bytes);
        let valid = match std::str::from_utf8(&self.rest) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(error) => {
                return Err(ScanError::NotUtf8 {
                    offset: self.offset + error.valid_up_to() as u64,
                });
            }
        };
        if let Some(zero) = bytes.iter().position(|byte| *byte == 0) {
            return Err(ScanError::Nul {
                offset: self.offset + (known + zero) as u64,
            });
        }
        let done = self.read_lines(valid, false)?;
        self.offset += done as u64;
        self.rest.drain(..done);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<(Directives, Checksum), ScanError> {
        if let Err(error) = std::str::from_utf8(&self.rest) {
            return Err(ScanError::NotUtf8 {
                offset: self.offset + error.valid_up_to() as u64,
            });
        }
        self.read_lines(self.rest.len(), true)?;
        Ok((self.directives, self.hasher.finish()))
    }

    /// Reads whole lines from the first `valid` bytes and says how many bytes they were.
    fn read_lines(&mut self, valid: usize, at_end: bool) -> Result<usize, ScanError> {
        let rest = std::mem::take(&mut self.rest);
        // Judged by the caller to be UTF-8 up to there.
        let text = std::str::from_utf8(&rest[..valid]).unwrap_or_default();
        let mut done = 0;
        for line in text.split_inclusive('\n') {
            let whole = at_end || line.ends_with('\n');
            if !whole && line.len() <= LONGEST_LINE {
                break;
            }
            self.read_line(line).map_err(ScanError::Directive)?;
            self.lines += u32::from(whole);
            done += line.len();
        }
        self.rest = rest;
        Ok(done)
    }

    fn read_line(&mut self, line: &str) -> Result<(), DirectiveError> {
        let number = self.lines + 1;
        let whole = line
            .trim_start_matches('\u{FEFF}')
            .trim_end_matches(['\n', '\r']);
        let mut text = whole.trim();
        while self.place != Place::Below {
            // What MySQL runs in `/*! … */` is no comment.
            if self.place == Place::Head && text.starts_with("/*") && !text.starts_with("/*!") {
                text = &text[2..];
                self.place = Place::Comment;
            }
            if self.place == Place::Head {
                if !directive::read_line(text, whole, number, &mut self.directives)? {
                    self.place = Place::Below;
                }
                return Ok(());
            }
            let Some(end) = text.find("*/") else {
                return Ok(());
            };
            text = text[end + 2..].trim_start();
            self.place = Place::Head;
        }
        directive::refuse_below_the_head(text, whole, number)
    }
}
