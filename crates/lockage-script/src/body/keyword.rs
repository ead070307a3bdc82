//! Words in upper case, without allocations.

/// The maximum length of a keyword. It exceeds the longest word that a rule compares with, so cutting longer words is harmless.
const MAX_KEYWORD: usize = 14;

/// The first bytes of a word, in upper case.
pub(super) struct Keyword {
    bytes: [u8; MAX_KEYWORD],
    length: usize,
}

impl Keyword {
    pub(super) fn new(word: &[u8]) -> Self {
        let length = word.len().min(MAX_KEYWORD);
        let mut bytes = [0; MAX_KEYWORD];
        for (to, from) in bytes.iter_mut().zip(word) {
            // No keyword contains a question mark.
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
