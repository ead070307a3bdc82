use std::fmt;

/// The kind of an error; the basis of exit codes and of decisions in a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A URL, an option or a combination of options is invalid.
    InvalidConfig,
    /// A migration file breaks a rule: its name, its encoding, a directive or a statement is invalid.
    InvalidMigration,
    /// No linked backend serves the scheme of the URL.
    UnknownBackend,
    /// The database could not be reached, or it rejected the login.
    Connect,
    /// The migration lock was not acquired before the wait timed out. Nothing was written.
    LockTimeout,
    /// The session no longer holds the lock that it acquired. Nothing was written after this was detected.
    LockLost,
    /// The connection broke. The server rolls back what was not committed.
    SessionLost,
    /// The history and the files contradict each other.
    Diverged,
    /// The schema is missing or older than the program, and the call must not change it.
    NotCurrent,
    /// The run was interrupted.
    Interrupted,
    /// A statement of a migration failed.
    MigrationFailed,
    /// The engine, or the connection to it, does not support the request.
    Unsupported,
    /// Anything else: a defect of Lockage, or an unexpected answer of a server.
    Unexpected,
}

impl ErrorKind {
    /// Returns the name that JSON output uses: `lock_timeout`, for example.
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
