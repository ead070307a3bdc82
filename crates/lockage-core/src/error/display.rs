//! The text of an error, short and long. The long form has the source line with a caret, causes, hint and related errors.

use std::fmt::{self, Write};

use super::Error;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return write_long(self, f);
        }
        if let Some(location) = self.location() {
            write!(f, "{location}: ")?;
        }
        f.write_str(self.message())
    }
}

/// Writes the long form, without colours.
fn write_long(error: &Error, out: &mut impl Write) -> fmt::Result {
    out.write_str(error.message())?;
    write_location(error, out)?;
    for (key, value) in error.context() {
        write!(out, "\n  = note: {}: {value}", key.replace('_', " "))?;
    }
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        write!(out, "\n  = note: caused by: {cause}")?;
        source = cause.source();
    }
    if let Some(hint) = error.hint() {
        write!(out, "\n  = help: {hint}")?;
    }
    for other in error.related() {
        out.write_str("\n\n")?;
        write_long(other, out)?;
    }
    Ok(())
}

fn write_location(error: &Error, out: &mut impl Write) -> fmt::Result {
    let Some(location) = error.location() else {
        return Ok(());
    };
    write!(out, "\n --> {location}")?;
    let (Some(line), Some(text)) = (location.line, &location.line_text) else {
        return Ok(());
    };
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let column = location.column.unwrap_or(1).max(1) as usize;
    let before: String = text
        .chars()
        .take(column - 1)
        // A tab keeps the caret below its character.
        .map(|character| if character == '\t' { '\t' } else { ' ' })
        .collect();
    write!(out, "\n{margin} |\n{number} | {text}\n{margin} | {before}^")
}
