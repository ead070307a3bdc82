//! Bytes in hexadecimal.

use std::fmt::Write;

/// Returns `prefix` followed by the bytes in hexadecimal.
pub(crate) fn hex(prefix: &str, bytes: &[u8]) -> String {
    bytes.iter().fold(prefix.to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns the first 16 bytes of a digest in hexadecimal.
pub(crate) fn short_hex(digest: &[u8]) -> String {
    hex("", &digest[..16])
}
