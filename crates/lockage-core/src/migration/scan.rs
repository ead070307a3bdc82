use super::checksum::{Checksum, ScriptHasher};
use super::directive::{self, DirectiveError, Directives};
use super::other_tool::{self, Mark};
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
    NotUtf8 {
        offset: u64,
    },
    Nul {
        offset: u64,
    },
    Utf16,
    Directive(DirectiveError),
    OtherTool {
        mark: &'static Mark,
        line: u32,
        line_text: String,
    },
}

/// The byte-order marks of UTF-16.
const UTF_16_MARKS: [&[u8]; 2] = [b"\xFF\xFE", b"\xFE\xFF"];

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
            Self::Utf16 => encoding(
                0,
                "the file is in UTF-16, not in UTF-8".to_owned(),
                "save the file as UTF-8",
            ),
            Self::OtherTool {
                mark: Mark { tool, mark },
                line,
                line_text,
            } => Error::new(
                ErrorKind::InvalidMigration,
                format!("the file is a migration of {tool} (`{mark}`), and Lockage would run all of it"),
            )
            .with_location(Location::at(file, line, 1).with_line_text(line_text))
            .with_hint(
                "move the part that applies the change to a file V<version>__<name>.sql and the part that undoes it to \
                 U<version>__<name>.sql, without the marks",
            ),
            Self::Directive(error) => Error::new(ErrorKind::InvalidMigration, error.message)
                .with_location(Location::at(file, error.line, 1).with_line_text(error.line_text)),
        }
    }
}

impl Scan {
    pub(super) fn update(&mut self, bytes: &[u8]) -> Result<(), ScanError> {
        self.hasher.update(bytes);
        if self.is_utf16(bytes) {
            return Err(ScanError::Utf16);
        }
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

    /// Returns whether the script begins with the mark of UTF-16, or with a character of it that is in ASCII.
    fn is_utf16(&self, bytes: &[u8]) -> bool {
        let at_start = self.offset == 0 && self.pending.is_empty();
        let zeros = bytes.iter().take(4).map(|byte| *byte == 0);
        let zeros: Vec<bool> = zeros.collect();
        let has_zero = zeros == [true, false, true, false] || zeros == [false, true, false, true];
        at_start && (has_zero || UTF_16_MARKS.iter().any(|mark| bytes.starts_with(mark)))
    }

    /// Returns the directives, the checksum, and whether the script contains anything but comments and blank lines.
    pub(super) fn finish(mut self) -> Result<(Directives, Checksum, bool), ScanError> {
        if let Err(error) = std::str::from_utf8(&self.pending) {
            return Err(ScanError::NotUtf8 {
                offset: self.offset + error.valid_up_to() as u64,
            });
        }
        self.read_lines(self.pending.len(), true)?;
        let has_body = self.section == Section::Body;
        Ok((self.directives, self.hasher.finish(), has_body))
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
            if let Some(mark) = other_tool::find_mark(line.trim_start_matches('\u{FEFF}')) {
                return Err(ScanError::OtherTool {
                    mark,
                    line: self.lines + 1,
                    line_text: line.trim_end().to_owned(),
                });
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
