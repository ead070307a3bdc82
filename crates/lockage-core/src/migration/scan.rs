use super::checksum::{Checksum, ScriptHasher};
use super::directive::{self, DirectiveError, Directives};
use crate::{Error, ErrorKind, Location};

/// Reads a script in chunks and determines its encoding, its directives and its checksum.
#[derive(Default)]
pub(super) struct Scan {
    hasher: ScriptHasher,
    directives: Directives,
    /// Bytes that are not processed yet: an incomplete character or line.
    pending: Vec<u8>,
    offset: u64,
    /// The number of complete lines.
    lines: u32,
    section: Section,
}

/// The section of a script to which a line belongs.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Section {
    /// The header: comments and blank lines before the first statement.
    #[default]
    Header,
    /// A block comment in the header.
    BlockComment,
    /// Everything after the header.
    Body,
}

/// The maximum length of a directive line, in bytes. A longer line is processed in parts.
const MAX_LINE_LEN: usize = 4096;

/// The error of a scan.
pub(super) enum ScanError {
    NotUtf8 { offset: u64 },
    Nul { offset: u64 },
    Directive(DirectiveError),
}

impl ScanError {
    pub(super) fn with_position(self, file: &str) -> Error {
        let encoding = |offset: u64, message: String, hint| {
            Error::new(ErrorKind::InvalidMigration, message)
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
                format!("the file is not text: byte {offset} is zero"),
                "save the file as UTF-8; it may be in UTF-16",
            ),
            Self::Directive(error) => Error::new(ErrorKind::InvalidMigration, error.message)
                .with_location(Location::at(file, error.line, 1).with_line_text(error.line_text)),
        }
    }
}

impl Scan {
    pub(super) fn update(&mut self, bytes: &[u8]) -> Result<(), ScanError> {
        self.hasher.update(bytes);
        let pending = self.pending.len();
        self.pending.extend_from_slice(bytes);
        let valid = match std::str::from_utf8(&self.pending) {
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
                offset: self.offset + (pending + zero) as u64,
            });
        }
        let done = self.read_lines(valid, false)?;
        self.offset += done as u64;
        self.pending.drain(..done);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<(Directives, Checksum), ScanError> {
        if let Err(error) = std::str::from_utf8(&self.pending) {
            return Err(ScanError::NotUtf8 {
                offset: self.offset + error.valid_up_to() as u64,
            });
        }
        self.read_lines(self.pending.len(), true)?;
        Ok((self.directives, self.hasher.finish()))
    }

    /// Processes the complete lines in the first `valid` bytes and returns their length in bytes.
    fn read_lines(&mut self, valid: usize, at_end: bool) -> Result<usize, ScanError> {
        let pending = std::mem::take(&mut self.pending);
        // The caller has checked that these bytes are UTF-8.
        let text = std::str::from_utf8(&pending[..valid]).unwrap_or_default();
        let mut done = 0;
        for line in text.split_inclusive('\n') {
            let is_complete = at_end || line.ends_with('\n');
            if !is_complete && line.len() <= MAX_LINE_LEN {
                break;
            }
            self.read_line(line).map_err(ScanError::Directive)?;
            self.lines += u32::from(is_complete);
            done += line.len();
        }
        self.pending = pending;
        Ok(done)
    }

    fn read_line(&mut self, line: &str) -> Result<(), DirectiveError> {
        let number = self.lines + 1;
        let line = line
            .trim_start_matches('\u{FEFF}')
            .trim_end_matches(['\n', '\r']);
        let mut text = line.trim();
        while self.section != Section::Body {
            // MySQL executes the text in `/*! … */`, so it is not a comment.
            if self.section == Section::Header && text.starts_with("/*") && !text.starts_with("/*!")
            {
                text = &text[2..];
                self.section = Section::BlockComment;
            }
            if self.section == Section::Header {
                if !directive::read_line(text, line, number, &mut self.directives)? {
                    self.section = Section::Body;
                }
                return Ok(());
            }
            let Some(end) = text.find("*/") else {
                return Ok(());
            };
            text = text[end + 2..].trim_start();
            self.section = Section::Header;
        }
        directive::reject_misplaced(text, line, number)
    }
}
