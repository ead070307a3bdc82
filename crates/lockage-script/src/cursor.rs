//! A window over the reader: what is kept of the script, and where the scan stands in it.

use std::io::{ErrorKind, Read};

use super::error::{SplitError, SplitErrorKind};

/// Boxed, since a scan yields a result a token and hardly ever an error.
pub(super) type Scan<T> = Result<T, Box<SplitError>>;

/// A place in the script.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    /// In bytes, from 0.
    pub(super) offset: u64,
    /// From 1.
    pub(super) line: u32,
    /// In characters, from 1.
    pub(super) column: u32,
}

impl Position {
    #[cold]
    pub(super) fn error(self, kind: SplitErrorKind) -> Box<SplitError> {
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

pub(super) struct Cursor<R> {
    reader: R,
    chunk: usize,
    buffer: Vec<u8>,
    /// The script's byte that `buffer[0]` is.
    base: u64,
    /// From here on bytes are still wanted.
    kept: usize,
    at: usize,
    /// Up to here the bytes are UTF-8, so no character is ever seen in halves.
    valid: usize,
    filled: usize,
    ended: bool,
    /// Reported when the scan reaches it, so that what stands before is handed out first.
    failure: Option<SplitErrorKind>,
    /// Lines are counted as bytes are released, so that each is looked at once.
    mark: Position,
}

impl<R: Read> Cursor<R> {
    pub(super) fn new(reader: R, chunk: usize) -> Self {
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
            mark: Position {
                offset: 0,
                line: 1,
                column: 1,
            },
        }
    }

    /// Where the scan stands.
    pub(super) fn here(&self) -> u64 {
        self.base + self.at as u64
    }

    /// The byte `ahead` of the scan; `None` behind the end.
    #[inline]
    pub(super) fn peek(&mut self, ahead: usize) -> Scan<Option<u8>> {
        while self.at + ahead >= self.valid {
            if !self.fill()? {
                return Ok(None);
            }
        }
        Ok(Some(self.buffer[self.at + ahead]))
    }

    /// Goes on by bytes that were peeked at.
    #[inline]
    pub(super) fn bump(&mut self, bytes: usize) {
        self.at += bytes;
        debug_assert!(self.at <= self.valid);
    }

    /// Goes back to an offset that is still kept.
    pub(super) fn back_to(&mut self, offset: u64) {
        self.at = self.index(offset);
    }

    /// What is at hand from the scan on.
    #[inline]
    pub(super) fn window(&self) -> &[u8] {
        &self.buffer[self.at..self.valid]
    }

    /// Whether `bytes` stand `ahead` of the scan.
    pub(super) fn stands(&mut self, ahead: usize, bytes: &[u8]) -> Scan<bool> {
        for (index, byte) in bytes.iter().enumerate() {
            if self.peek(ahead + index)? != Some(*byte) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Goes on to the byte that `find` finds, or to the end, and says which.
    pub(super) fn seek(
        &mut self,
        discard: bool,
        find: impl Fn(&[u8]) -> Option<usize>,
    ) -> Scan<bool> {
        loop {
            if let Some(found) = find(self.window()) {
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

    /// The kept bytes between two offsets.
    pub(super) fn slice(&self, from: u64, to: u64) -> &[u8] {
        &self.buffer[self.index(from)..self.index(to)]
    }

    /// The kept text between two offsets.
    pub(super) fn text(&self, from: u64, to: u64) -> Scan<&str> {
        std::str::from_utf8(self.slice(from, to)).map_err(|_| {
            self.mark
                .error(SplitErrorKind::InvalidUtf8 { utf16: false })
        })
    }

    /// What comes before the scan is no longer wanted.
    pub(super) fn release(&mut self) {
        self.count_to(self.at);
        self.kept = self.at;
    }

    /// Takes a byte-order mark at the start of the script.
    pub(super) fn skip_mark(&mut self) -> Scan<()> {
        if self.stands(0, "\u{feff}".as_bytes())? {
            self.at += 3;
            self.mark.offset += 3;
        }
        Ok(())
    }

    /// Line and column of an offset. What was released or asked for is counted: of two offsets ask for the first one first.
    pub(super) fn position(&mut self, offset: u64) -> Position {
        if offset > self.mark.offset {
            self.count_to(self.index(offset));
        }
        self.mark
    }

    fn index(&self, offset: u64) -> usize {
        // What is kept is in memory, so the difference fits.
        (offset - self.base) as usize
    }

    fn count_to(&mut self, to: usize) {
        let from = self.index(self.mark.offset);
        if let Some(over) = self.buffer.get(from..to) {
            self.mark.advance(over);
        }
    }

    /// Brings at least one more byte into the window; false at the end.
    #[cold]
    fn fill(&mut self) -> Scan<bool> {
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
                Ok(0) => self.end(),
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

    fn end(&mut self) {
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
        let enough = self.chunk / 2;
        if self.buffer.len() - self.filled >= enough.max(1) {
            return;
        }
        if self.kept > 0 {
            // A statement moves to the front at most once: after it, `kept` stays 0 until its end.
            self.buffer.copy_within(self.kept..self.filled, 0);
            self.base += self.kept as u64;
            self.at -= self.kept;
            self.valid -= self.kept;
            self.filled -= self.kept;
            self.kept = 0;
        }
        if self.buffer.len() - self.filled < enough.max(1) {
            let more = self.chunk.max(self.buffer.len() / 2);
            self.buffer.reserve_exact(more);
            self.buffer.resize(self.buffer.len() + more, 0);
        }
    }
}
