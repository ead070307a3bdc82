//! A buffered window over the script, with a position in it.

use std::io::{ErrorKind, Read};

use crate::error::{SplitError, SplitErrorKind};

/// The error is boxed because each token yields a result, and hardly ever an error.
pub(crate) type ScanResult<T> = Result<T, Box<SplitError>>;

/// A position in the script.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    /// In bytes, from 0.
    pub(crate) offset: u64,
    /// From 1.
    pub(crate) line: u32,
    /// In characters, from 1.
    pub(crate) column: u32,
}

impl Position {
    #[cold]
    pub(crate) fn error(self, kind: SplitErrorKind) -> Box<SplitError> {
        Box::new(SplitError {
            kind,
            offset: self.offset,
            line: self.line,
            column: self.column,
        })
    }

    fn advance(&mut self, over: &[u8]) {
        self.offset += over.len() as u64;
        let rest = match memchr::memrchr(b'\n', over) {
            None => over,
            Some(last) => {
                let lines = memchr::memchr_iter(b'\n', over).count();
                self.line = self
                    .line
                    .saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
                self.column = 1;
                &over[last + 1..]
            }
        };
        let characters = rest.iter().filter(|byte| !is_continuation(**byte)).count();
        self.column = self
            .column
            .saturating_add(u32::try_from(characters).unwrap_or(u32::MAX));
    }
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

pub(crate) struct Cursor<R> {
    reader: R,
    /// How many bytes to read in one call.
    chunk: usize,
    buffer: Vec<u8>,
    /// The offset in the script of `buffer[0]`.
    base: u64,
    /// The first byte in the buffer that is still needed.
    kept: usize,
    /// The current position in the buffer.
    at: usize,
    /// The end of the valid UTF-8 in the buffer. Only these bytes are visible, so a character is never seen in part.
    valid: usize,
    /// The end of the bytes that were read.
    filled: usize,
    /// Whether the reader has no more bytes.
    ended: bool,
    /// Reported when the cursor reaches it, so that the statements before it are yielded first.
    failure: Option<SplitErrorKind>,
    /// Up to here lines are counted. Counting follows the released bytes, so each byte is read once.
    counted: Position,
}

impl<R: Read> Cursor<R> {
    pub(crate) fn new(reader: R, chunk: usize) -> Self {
        Self {
            reader,
            chunk,
            buffer: Vec::new(),
            base: 0,
            kept: 0,
            at: 0,
            valid: 0,
            filled: 0,
            ended: false,
            failure: None,
            counted: Position {
                offset: 0,
                line: 1,
                column: 1,
            },
        }
    }

    /// Returns the current offset in the script.
    pub(crate) fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// Returns the byte `ahead` of the current one, or `None` after the end of the script.
    #[inline]
    pub(crate) fn peek(&mut self, ahead: usize) -> ScanResult<Option<u8>> {
        while self.at + ahead >= self.valid {
            if !self.fill()? {
                return Ok(None);
            }
        }
        Ok(Some(self.buffer[self.at + ahead]))
    }

    /// Advances by bytes that were peeked.
    #[inline]
    pub(crate) fn bump(&mut self, bytes: usize) {
        self.at += bytes;
        debug_assert!(self.at <= self.valid);
    }

    /// Moves back to an offset whose byte is still kept.
    pub(crate) fn back_to(&mut self, offset: u64) {
        self.at = self.index(offset);
    }

    /// Returns the buffered bytes from the current one on.
    #[inline]
    pub(crate) fn lookahead(&self) -> &[u8] {
        &self.buffer[self.at..self.valid]
    }

    /// Returns whether the script continues with `bytes`, `ahead` of the current byte.
    pub(crate) fn starts_with(&mut self, ahead: usize, bytes: &[u8]) -> ScanResult<bool> {
        for (index, byte) in bytes.iter().enumerate() {
            if self.peek(ahead + index)? != Some(*byte) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Advances to the byte that `find` finds, or to the end. Returns whether it was found.
    ///
    /// With `discard`, the bytes in between are released.
    pub(crate) fn seek(
        &mut self,
        discard: bool,
        find: impl Fn(&[u8]) -> Option<usize>,
    ) -> ScanResult<bool> {
        loop {
            if let Some(found) = find(self.lookahead()) {
                self.at += found;
                return Ok(true);
            }
            self.at = self.valid;
            if discard {
                self.release();
            }
            if !self.fill()? {
                return Ok(false);
            }
        }
    }

    /// Returns the kept bytes between two offsets.
    pub(crate) fn slice(&self, from: u64, to: u64) -> &[u8] {
        &self.buffer[self.index(from)..self.index(to)]
    }

    /// Returns the kept text between two offsets.
    pub(crate) fn text(&self, from: u64, to: u64) -> ScanResult<&str> {
        std::str::from_utf8(self.slice(from, to)).map_err(|_| {
            self.counted
                .error(SplitErrorKind::InvalidUtf8 { utf16: false })
        })
    }

    /// Releases the bytes before the current one.
    pub(crate) fn release(&mut self) {
        self.count_to(self.at);
        self.kept = self.at;
    }

    /// Skips a byte-order mark at the start of the script.
    pub(crate) fn skip_byte_order_mark(&mut self) -> ScanResult<()> {
        if self.starts_with(0, "\u{feff}".as_bytes())? {
            self.at += 3;
            self.counted.offset += 3;
        }
        Ok(())
    }

    /// Returns the line and column of an offset.
    ///
    /// Released bytes and those before the offset of an earlier call are counted already: of two offsets, call with the smaller one
    /// first.
    pub(crate) fn position(&mut self, offset: u64) -> Position {
        if offset > self.counted.offset {
            self.count_to(self.index(offset));
        }
        self.counted
    }

    fn index(&self, offset: u64) -> usize {
        // The kept bytes are in memory, so the difference fits.
        (offset - self.base) as usize
    }

    fn count_to(&mut self, to: usize) {
        let from = self.index(self.counted.offset);
        if let Some(over) = self.buffer.get(from..to) {
            self.counted.advance(over);
        }
    }

    /// Makes at least one more byte visible. Returns false at the end of the script.
    #[cold]
    fn fill(&mut self) -> ScanResult<bool> {
        loop {
            if let Some(kind) = self.failure.take() {
                let at = self.base + self.valid as u64;
                return Err(self.position(at).error(kind));
            }
            if self.ended {
                return Ok(false);
            }
            self.make_room();
            match self.reader.read(&mut self.buffer[self.filled..]) {
                Ok(0) => self.finish(),
                Ok(read) => {
                    let before = self.valid;
                    self.filled = self.buffer.len().min(self.filled + read);
                    self.validate();
                    if self.valid > before {
                        return Ok(true);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.ended = true;
                    self.failure = Some(SplitErrorKind::Io(error));
                }
            }
        }
    }

    fn finish(&mut self) {
        self.ended = true;
        if self.valid < self.filled {
            self.failure = Some(SplitErrorKind::InvalidUtf8 { utf16: false });
        }
    }

    fn validate(&mut self) {
        let Err(error) = std::str::from_utf8(&self.buffer[self.valid..self.filled]) else {
            self.valid = self.filled;
            return;
        };
        self.valid += error.valid_up_to();
        if error.error_len().is_some() {
            let start = self.buffer.get(..2).unwrap_or_default();
            let utf16 = self.base == 0
                && self.valid == 0
                && (start == [0xff, 0xfe] || start == [0xfe, 0xff]);
            self.ended = true;
            self.failure = Some(SplitErrorKind::InvalidUtf8 { utf16 });
        }
    }

    fn make_room(&mut self) {
        let enough = (self.chunk / 2).max(1);
        if self.buffer.len() - self.filled >= enough {
            return;
        }
        if self.kept > 0 {
            // A statement moves to the front at most once: after that, `kept` stays 0 until its end.
            self.buffer.copy_within(self.kept..self.filled, 0);
            self.base += self.kept as u64;
            self.at -= self.kept;
            self.valid -= self.kept;
            self.filled -= self.kept;
            self.kept = 0;
        }
        if self.buffer.len() - self.filled < enough {
            let more = self.chunk.max(self.buffer.len() / 2);
            self.buffer.reserve_exact(more);
            self.buffer.resize(self.buffer.len() + more, 0);
        }
    }
}
