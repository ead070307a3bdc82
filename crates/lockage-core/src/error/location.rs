use std::fmt;

/// A position in a migration file. Lines and columns count from one; columns count characters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Location {
    /// The file, as the caller named it.
    pub file: String,
    /// The line; `None` if only the file is known.
    pub line: Option<u32>,
    /// The column in that line.
    pub column: Option<u32>,
    /// The text of that line, without its line end.
    pub line_text: Option<String>,
}

impl Location {
    /// Creates the location of a file as a whole.
    pub fn file(file: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            ..Self::default()
        }
    }

    /// Creates the location of a character in a file.
    pub fn at(file: impl Into<String>, line: u32, column: u32) -> Self {
        Self {
            file: file.into(),
            line: Some(line),
            column: Some(column),
            line_text: None,
        }
    }

    /// Adds the text of the line, so that an output can mark the column in it.
    #[must_use]
    pub fn with_line_text(mut self, text: impl Into<String>) -> Self {
        self.line_text = Some(text.into());
        self
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ":{column}")?;
        }
        Ok(())
    }
}
