use std::fmt;

use crate::Report;

/// The result of every fallible call in Lockage.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// What kind of thing went wrong; the basis of exit codes and of decisions in a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A URL, an option or a combination of options makes no sense.
    InvalidConfig,
    /// A migration file breaks a rule: its name, its encoding, a directive, its statements.
    InvalidMigration,
    /// No linked backend serves the scheme of the URL.
    UnknownBackend,
    /// The database could not be reached, or it refused the login.
    Connect,
    /// The migration lock was not obtained within the wait. Nothing was written.
    LockTimeout,
    /// The session no longer holds the lock that it took. Nothing was written after that was seen.
    LockLost,
    /// The connection broke. What was not committed is rolled back by the server.
    SessionLost,
    /// The history and the files contradict each other.
    Diverged,
    /// The schema is missing or older than the program, and the call was not to change it.
    NotCurrent,
    /// The run was asked to stop.
    Interrupted,
    /// A statement of a migration failed.
    MigrationFailed,
    /// The engine, or the way to it, cannot do what is asked.
    Unsupported,
    /// Anything else; a defect of ours or an answer of a server that nobody foresaw.
    Unexpected,
}

impl ErrorKind {
    /// The kind's name as it stands in JSON output: `lock_timeout` and the like.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidConfig => "invalid_config",
            Self::InvalidMigration => "invalid_migration",
            Self::UnknownBackend => "unknown_backend",
            Self::Connect => "connect",
            Self::LockTimeout => "lock_timeout",
            Self::LockLost => "lock_lost",
            Self::SessionLost => "session_lost",
            Self::Diverged => "diverged",
            Self::NotCurrent => "not_current",
            Self::Interrupted => "interrupted",
            Self::MigrationFailed => "migration_failed",
            Self::Unsupported => "unsupported",
            Self::Unexpected => "unexpected",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A place in a migration file. Lines and columns count from one; columns count characters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Location {
    /// The file, as it was named to us.
    pub file: String,
    /// The line; `None` where only the file is known.
    pub line: Option<u32>,
    /// The column in that line.
    pub column: Option<u32>,
    /// The text of that line, without its line end.
    pub line_text: Option<String>,
}

impl Location {
    /// A whole file.
    pub fn file(file: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            ..Self::default()
        }
    }

    /// A character in a file.
    pub fn at(file: impl Into<String>, line: u32, column: u32) -> Self {
        Self {
            file: file.into(),
            line: Some(line),
            column: Some(column),
            line_text: None,
        }
    }

    /// Adds the text of the line, so that a caret can be drawn under the column.
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

/// The one error type of Lockage: a kind to decide by, a message that says what, where and what to do.
///
/// No error shows a password: a backend puts a [`DatabaseUrl`](crate::DatabaseUrl) into its messages, never the
/// text that it came from.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    location: Option<Location>,
    context: Vec<(&'static str, String)>,
    related: Vec<Error>,
    report: Option<Report>,
    retryable: bool,
    no_database: bool,
    server_gone: bool,
    source: Option<Source>,
}

impl Error {
    /// An error of a kind, with a message in lower case and without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            hint: None,
            location: None,
            context: Vec::new(),
            related: Vec::new(),
            report: None,
            retryable: kind == ErrorKind::LockTimeout,
            no_database: false,
            server_gone: false,
            source: None,
        }))
    }

    /// Many mistakes as one error, the first of them in front; `None` when there are none.
    pub fn all(errors: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut errors = errors.into_iter();
        let mut first = errors.next()?;
        first.0.related.extend(errors);
        Some(first)
    }

    /// The same with another message: one that says more of where it happened.
    #[must_use]
    pub fn map_message(mut self, change: impl FnOnce(String) -> String) -> Self {
        self.0.message = change(self.0.message);
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the place in a file.
    #[must_use]
    pub fn with_location(mut self, location: Location) -> Self {
        self.0.location = Some(location);
        self
    }

    /// Adds a key and a value that help to find the cause: `("sqlstate", "42P07")`.
    #[must_use]
    pub fn with_context(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.0.context.push((key, value.into()));
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Says that the same call may well succeed later, with nothing changed.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.0.retryable = true;
        self
    }

    /// Says that the server is there and the database is not: it may still be made.
    #[must_use]
    pub fn no_database(mut self) -> Self {
        self.0.no_database = true;
        self
    }

    /// Says that the session ended because the server, or the way to it, went away by itself: nobody meant this run. A run that applies
    /// migrations then begins anew with another session.
    #[must_use]
    pub fn server_gone(mut self) -> Self {
        self.0.server_gone = true;
        self
    }

    /// Adds the report of what was applied before the error.
    #[must_use]
    pub fn with_report(mut self, report: Report) -> Self {
        self.0.report = Some(report);
        self
    }

    /// What kind of error this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message alone, without cause and place.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Where in a migration file it happened.
    pub fn location(&self) -> Option<&Location> {
        self.0.location.as_ref()
    }

    /// Keys and values that help to find the cause.
    pub fn context(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0
            .context
            .iter()
            .map(|(key, value)| (*key, value.as_str()))
    }

    /// Further mistakes that were found in the same go.
    pub fn related(&self) -> &[Self] {
        &self.0.related
    }

    /// What the run had done when it failed; `None` when it failed before it was under way.
    pub fn report(&self) -> Option<&Report> {
        self.0.report.as_ref()
    }

    /// Whether the same call may well succeed later, with nothing changed.
    pub fn is_temporary(&self) -> bool {
        self.0.retryable
    }

    /// Whether the server, or the way to it, went away by itself.
    pub fn is_connection_lost(&self) -> bool {
        self.0.server_gone
    }

    /// Whether the database, and nothing else, was missing.
    pub fn is_database_missing(&self) -> bool {
        self.0.no_database
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.0.location {
            write!(f, "{location}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("kind", &self.0.kind)
            .field("message", &self.0.message);
        if let Some(location) = &self.0.location {
            out.field("location", &location.to_string());
        }
        if let Some(hint) = &self.0.hint {
            out.field("hint", hint);
        }
        if !self.0.context.is_empty() {
            out.field("context", &self.0.context);
        }
        if !self.0.related.is_empty() {
            out.field("related", &self.0.related);
        }
        if let Some(source) = &self.0.source {
            out.field("source", source);
        }
        out.finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
