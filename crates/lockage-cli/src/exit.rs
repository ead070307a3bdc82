//! Exit codes of the process.

use std::process::ExitCode;

use lockage::ErrorKind;

use crate::signals::Signal;

/// The result of the process for its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The command succeeded, or nothing was pending.
    Success,
    /// A migration failed, or an unexpected error occurred.
    Failed,
    /// Arguments, configuration or a migration file are invalid.
    Usage,
    /// Migrations are pending.
    Pending,
    /// Files and history contradict each other.
    Diverged,
    /// The lock was not acquired in time.
    LockTimeout,
    /// The database cannot be reached.
    Connect,
    /// The session, or the lock with it, was lost.
    SessionLost,
    /// A signal stopped the command cleanly.
    Interrupted(Signal),
}

impl Exit {
    /// Returns the exit for an error. `signal` is the signal received, if any; it decides the code of an interrupted run.
    pub(crate) fn from_error(kind: ErrorKind, signal: Option<Signal>) -> Self {
        match kind {
            ErrorKind::InvalidConfig
            | ErrorKind::InvalidMigration
            | ErrorKind::UnknownBackend
            | ErrorKind::Unsupported => Self::Usage,
            ErrorKind::Connect => Self::Connect,
            ErrorKind::LockTimeout => Self::LockTimeout,
            ErrorKind::LockLost | ErrorKind::SessionLost => Self::SessionLost,
            ErrorKind::Diverged => Self::Diverged,
            ErrorKind::NotCurrent => Self::Pending,
            // Without a signal, a person answered a question with no.
            ErrorKind::Interrupted => signal.map_or(Self::Failed, Self::Interrupted),
            _ => Self::Failed,
        }
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Pending => 3,
            Self::Diverged => 4,
            Self::LockTimeout => 5,
            Self::Connect => 6,
            Self::SessionLost => 7,
            Self::Interrupted(signal) => signal.exit_code(),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_kinds_have_documented_exit_codes() {
        for (kind, code) in [
            (ErrorKind::MigrationFailed, 1),
            (ErrorKind::Unexpected, 1),
            (ErrorKind::InvalidConfig, 2),
            (ErrorKind::InvalidMigration, 2),
            (ErrorKind::UnknownBackend, 2),
            (ErrorKind::Unsupported, 2),
            (ErrorKind::NotCurrent, 3),
            (ErrorKind::Diverged, 4),
            (ErrorKind::LockTimeout, 5),
            (ErrorKind::Connect, 6),
            (ErrorKind::LockLost, 7),
            (ErrorKind::SessionLost, 7),
            (ErrorKind::Interrupted, 1),
        ] {
            assert_eq!(Exit::from_error(kind, None).code(), code, "{kind}");
        }
        let interrupted = Exit::from_error(ErrorKind::Interrupted, Some(Signal::Interrupt));
        assert_eq!(interrupted.code(), 130);
        let terminated = Exit::from_error(ErrorKind::Interrupted, Some(Signal::Terminate));
        assert_eq!(terminated.code(), 143);
        assert_eq!(Exit::Success.code(), 0);
        assert_eq!(Exit::Pending.code(), 3);
    }
}
