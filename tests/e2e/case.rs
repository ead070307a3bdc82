//! The type of a test case, and the files that it writes.

use std::path::Path;

use crate::engine::Engine;

/// A test case. It fails with a message.
pub(crate) type Case = fn(&dyn Engine) -> Result<(), String>;

/// Returns an error with a formatted message if the condition is false.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+));
        }
    };
}

pub(crate) use ensure;

pub(crate) fn migration_dir() -> Result<tempfile::TempDir, String> {
    tempfile::tempdir().map_err(|error| error.to_string())
}

pub(crate) fn write(dir: &Path, name: &str, text: &str) -> Result<(), String> {
    std::fs::write(dir.join(name), text).map_err(|error| format!("{name}: {error}"))
}
