//! A reader that behaves worse than a file.

use std::io::{self, ErrorKind, Read};

/// Yields 1 to 7 bytes at a time, with interruptions in between.
pub(crate) struct ShortReads<'a> {
    rest: &'a [u8],
    turn: usize,
}

impl<'a> ShortReads<'a> {
    pub(crate) fn new(bytes: &'a [u8], seed: usize) -> Self {
        Self {
            rest: bytes,
            turn: seed,
        }
    }
}

impl Read for ShortReads<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.turn = self.turn.wrapping_mul(31).wrapping_add(17);
        if self.turn.is_multiple_of(11) {
            return Err(ErrorKind::Interrupted.into());
        }
        let length = (self.turn % 7 + 1).min(buffer.len()).min(self.rest.len());
        let (now, rest) = self.rest.split_at(length);
        buffer[..length].copy_from_slice(now);
        self.rest = rest;
        Ok(length)
    }
}
