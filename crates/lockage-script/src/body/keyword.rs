//! Words in upper case, without an allocation.

/// Longer than any word that a rule asks for, so that what is cut off never matters.
const KEPT: usize = 14;

/// The start of a word, in upper case.
pub(super) struct Keyword {
    bytes: [u8; KEPT],
    length: usize,
}

impl Keyword {
    pub(super) fn new(word: &[u8]) -> Self {
        let length = word.len().min(KEPT);
        let mut bytes = [0; KEPT];
        for (to, from) in bytes.iter_mut().zip(word) {
            // No keyword holds a question mark.
            *to = if from.is_ascii() {
                from.to_ascii_uppercase()
            } else {
                b'?'
            };
        }
        Self { bytes, length }
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}
