//! The result of a command that did not fail.

use std::io::{self, Write};

use lockage::RunError;
use serde::Serialize;

use crate::exit::Exit;

/// The result of a command, or its error.
pub(crate) type CommandResult = Result<Box<dyn CommandOutput>, RunError>;

/// A result that can be printed.
pub(crate) trait CommandOutput {
    /// Returns the exit of the process.
    fn exit(&self) -> Exit {
        Exit::Success
    }

    /// Returns whether the text is what the user asked for, rather than a summary. `--quiet` prints it then, too.
    fn is_primary_output(&self) -> bool {
        false
    }

    /// Writes the result for a person.
    fn write_text(&self, out: &mut dyn Write, style: Style) -> io::Result<()>;

    /// Writes the result for a program: one JSON object.
    fn write_json(&self, out: &mut dyn Write) -> io::Result<()>;
}

/// The abilities of the stream that text is written to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// The stream shows colours.
    pub(crate) color: bool,
    /// The stream is a terminal.
    pub(crate) terminal: bool,
}

/// Writes a value as JSON, without a line end.
pub(crate) fn write_json_value(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(out, value).map_err(io::Error::from)
}
