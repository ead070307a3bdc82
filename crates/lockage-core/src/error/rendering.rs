//! The long form of an error: message, source line with a caret, causes, hint, related errors.

use std::fmt::{self, Write};

use super::Error;

/// Writes the long form, without colours.
pub(super) fn write_long(error: &Error, out: &mut impl Write) -> fmt::Result {
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
