//! Warnings in the text of results.

use std::io::{self, Write};

/// Warns if the history has versions newer than every file.
pub(crate) fn warn_database_ahead(out: &mut dyn Write, ahead: &[String]) -> io::Result<()> {
    match ahead {
        [] => Ok(()),
        [version] => writeln!(
            out,
            "the database is ahead: version {version} is in its history and newer than every file"
        ),
        versions => writeln!(
            out,
            "the database is ahead: versions {} are in its history and newer than every file",
            versions.join(", ")
        ),
    }
}
