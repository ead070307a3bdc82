//! The error type of the workspace: what failed, where, why, and what to do about it.

mod display;
mod kind;
mod location;
mod status;

use std::fmt;

pub use kind::ErrorKind;
pub use location::Location;
pub use status::Status;

/// The result of every fallible call in Lockage.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// The error type of Lockage: a kind and a status to decide by, and a message for people.
///
/// `Display` prints the location, if any, and the message. The alternate form, `{error:#}`, prints all of it for a person: the
/// message, the line of the file with a caret, the causes, the hint, and the related errors.
///
/// No error contains a password: a backend puts a [`DatabaseUrl`](crate::DatabaseUrl) into its messages, never the text
/// that was parsed.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    status: Status,
    /// Whether the call may succeed later. A lost connection is temporary only if its backend says so.
    temporary: bool,
    message: String,
    hint: Option<String>,
    location: Option<Location>,
    context: Vec<(&'static str, String)>,
    related: Vec<Error>,
    source: Option<Source>,
}

impl Error {
    /// Creates an error. The message is in lower case and has no full stop.
    ///
    /// The status is [`Temporary`](Status::Temporary) for a [`LockTimeout`](ErrorKind::LockTimeout) and
    /// [`Permanent`](Status::Permanent) for every other kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let error = Self(Box::new(Inner {
            kind,
            status: Status::Permanent,
            temporary: false,
            message: message.into(),
            hint: None,
            location: None,
            context: Vec::new(),
            related: Vec::new(),
            source: None,
        }));
        match kind {
            ErrorKind::LockTimeout => error.with_status(Status::Temporary),
            _ => error,
        }
    }

    /// Combines several errors into one: the first, with the others as [`related`](Self::related). Returns `None` if there
    /// is none.
    pub fn combine(errors: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut errors = errors.into_iter();
        let mut first = errors.next()?;
        first.0.related.extend(errors);
        Some(first)
    }

    /// Replaces the message, for example with one that names the failed operation.
    #[must_use]
    pub fn map_message(mut self, change: impl FnOnce(String) -> String) -> Self {
        self.0.message = change(self.0.message);
        self
    }

    /// Adds advice on what to do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the position in a file.
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

    /// Sets the status.
    ///
    /// A lost connection or a missing database can be temporary, too: the error then keeps the more specific status, and
    /// [`is_temporary`](Self::is_temporary) is true, in whatever order the two are set.
    #[must_use]
    pub fn with_status(mut self, status: Status) -> Self {
        match status {
            Status::Temporary => {
                self.0.temporary = true;
                if self.0.status == Status::Permanent {
                    self.0.status = status;
                }
            }
            Status::Permanent => (self.0.temporary, self.0.status) = (false, status),
            Status::ConnectionLost | Status::DatabaseMissing => self.0.status = status,
        }
        self
    }

    /// Returns the kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the status.
    pub fn status(&self) -> Status {
        self.0.status
    }

    /// Returns whether the same call may succeed later without a change.
    pub fn is_temporary(&self) -> bool {
        self.0.temporary
    }

    /// Returns whether the status is [`Status::ConnectionLost`].
    pub fn is_connection_lost(&self) -> bool {
        self.0.status == Status::ConnectionLost
    }

    /// Returns whether the status is [`Status::DatabaseMissing`].
    pub fn is_database_missing(&self) -> bool {
        self.0.status == Status::DatabaseMissing
    }

    /// Returns the message without cause and location.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns advice on what to do, if any.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Returns the position in a migration file, if any.
    pub fn location(&self) -> Option<&Location> {
        self.0.location.as_ref()
    }

    /// Returns keys and values that help to find the cause.
    pub fn context(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0
            .context
            .iter()
            .map(|(key, value)| (*key, value.as_str()))
    }

    /// Returns further errors of the same call.
    pub fn related(&self) -> &[Self] {
        &self.0.related
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("kind", &self.0.kind)
            .field("message", &self.0.message);
        if self.0.status != Status::Permanent {
            out.field("status", &self.0.status);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternate_form_shows_line_caret_causes_and_hint() {
        let other = Error::new(ErrorKind::InvalidMigration, "another");
        let error = Error::new(ErrorKind::MigrationFailed, "near \"TABEL\": syntax error")
            .with_location(
                Location::at("V2__a.sql", 13, 8).with_line_text("CREATE TABEL ü (id int);"),
            )
            .with_source(std::io::Error::other("the cause"))
            .with_hint("fix it");
        let short = "V2__a.sql:13:8: near \"TABEL\": syntax error";
        assert_eq!(error.to_string(), short);
        let error = Error::combine([error, other]).unwrap();
        let long = "\
near \"TABEL\": syntax error
 --> V2__a.sql:13:8
   |
13 | CREATE TABEL ü (id int);
   |        ^
  = note: caused by: the cause
  = help: fix it

another";
        assert_eq!(format!("{error:#}"), long);
    }

    #[test]
    fn status_temporary_combines_with_connection_lost() {
        let lost = || Error::new(ErrorKind::SessionLost, "lost");
        for error in [
            lost()
                .with_status(Status::Temporary)
                .with_status(Status::ConnectionLost),
            lost()
                .with_status(Status::ConnectionLost)
                .with_status(Status::Temporary),
        ] {
            assert_eq!(error.status(), Status::ConnectionLost);
            assert!(error.is_temporary() && error.is_connection_lost());
        }
        assert!(!lost().with_status(Status::ConnectionLost).is_temporary());
        let timeout = Error::new(ErrorKind::LockTimeout, "busy");
        assert_eq!(timeout.status(), Status::Temporary);
        assert_eq!(lost().status(), Status::Permanent);
    }
}
