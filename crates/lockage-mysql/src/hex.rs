//! Bytes in hexadecimal.

use std::fmt::Write;

/// Returns `prefix` followed by the bytes in hexadecimal.
pub(crate) fn hex(prefix: &str, bytes: &[u8]) -> String {
    bytes.iter().fold(prefix.to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
