use std::fmt;

use sha2::{Digest, Sha256};

/// The SHA-256 checksum of a script, without a byte-order mark and with CRLF replaced by LF, so that editors and version
/// control do not change it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Checksum([u8; 32]);

impl Checksum {
    /// Calculates the checksum of a script.
    pub fn of(script: &[u8]) -> Self {
        let mut hasher = ScriptHasher::default();
        hasher.update(script);
        hasher.finish()
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checksum({self})")
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Calculates the checksum of a script that is read in chunks.
#[derive(Default)]
pub(crate) struct ScriptHasher {
    sha: Sha256,
    /// The first bytes, until they are compared with the byte-order mark.
    head: Vec<u8>,
    started: bool,
    /// Whether the last chunk ended with a carriage return, which may be the first half of a CRLF.
    pending_cr: bool,
}

impl ScriptHasher {
    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        if !self.started {
            let take = bytes.len().min(BYTE_ORDER_MARK.len() - self.head.len());
            self.head.extend_from_slice(&bytes[..take]);
            bytes = &bytes[take..];
            if self.head.len() < BYTE_ORDER_MARK.len() {
                return;
            }
            self.start();
        }
        self.update_text(bytes);
    }

    pub(crate) fn finish(mut self) -> Checksum {
        if !self.started {
            self.start();
        }
        if self.pending_cr {
            self.sha.update(b"\r");
        }
        Checksum(self.sha.finalize().into())
    }

    fn start(&mut self) {
        self.started = true;
        let head = std::mem::take(&mut self.head);
        if head != BYTE_ORDER_MARK {
            self.update_text(&head);
        }
    }

    fn update_text(&mut self, mut bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.pending_cr && bytes[0] != b'\n' {
            self.sha.update(b"\r");
        }
        self.pending_cr = bytes.last() == Some(&b'\r');
        if self.pending_cr {
            bytes = &bytes[..bytes.len() - 1];
        }
        while let Some(at) = bytes.windows(2).position(|pair| pair == b"\r\n") {
            self.sha.update(&bytes[..at]);
            bytes = &bytes[at + 1..];
        }
        self.sha.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_of_known_script_matches_sha256sum() {
        // printf 'SELECT 1;\n' | sha256sum
        assert_eq!(
            Checksum::of(b"SELECT 1;\n").to_string(),
            "b4e0497804e46e0a0b0b8c31975b062152d551bac49c3c2e80932567b4085dcd"
        );
    }

    #[test]
    fn checksum_ignores_line_ends_and_byte_order_mark() {
        let plain = Checksum::of(b"a\nb\n");
        assert_eq!(Checksum::of(b"a\r\nb\r\n"), plain);
        assert_eq!(Checksum::of(b"\xEF\xBB\xBFa\r\nb\n"), plain);
        assert_ne!(Checksum::of(b"a\rb\n"), plain);
        assert_ne!(Checksum::of(b"a\n\xEF\xBB\xBFb\n"), plain);
        assert_ne!(Checksum::of(b"a\nb\n\r"), plain);
        assert_ne!(Checksum::of(b""), plain);
    }

    proptest::proptest! {
        #[test]
        fn checksum_is_independent_of_chunks(text in "[\r\na\u{FEFF}]{0,40}", cuts in proptest::collection::vec(0usize..200, 0..6)) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut hasher = ScriptHasher::default();
            let mut from = 0;
            for cut in cuts.into_iter().chain([bytes.len()]) {
                hasher.update(&bytes[from..cut]);
                from = cut;
            }
            let expected = text.strip_prefix('\u{FEFF}').unwrap_or(&text).replace("\r\n", "\n");
            let expected: [u8; 32] = Sha256::digest(expected.as_bytes()).into();
            proptest::prop_assert_eq!(hasher.finish(), Checksum(expected));
        }
    }
}
