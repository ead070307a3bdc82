//! Exit codes: what a script decides by.

use std::process::ExitCode;

use lockage::ErrorKind;

use crate::signals::Signal;

/// What the process exits with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or nothing to do.
    Done,
    /// A migration failed, or something that nobody foresaw.
    Failed,
    /// Usage or configuration, a mistake in a migration file included.
    Usage,
    /// Something is pending.
    Pending,
    /// Files and history contradict each other.
    Diverged,
    /// The lock was not obtained in time.
    LockTimeout,
    /// The database cannot be reached.
    Connect,
    /// The lock or the session was lost.
    Lost,
    /// Interrupted, after a clean stop.
    Interrupted(Signal),
}

impl Exit {
    /// The exit of an error; an interrupted run exits as the signal would have it.
    pub(crate) fn of(kind: ErrorKind, signal: Option<Signal>) -> Self {
        match kind {
            ErrorKind::InvalidConfig
            | ErrorKind::InvalidMigration
            | ErrorKind::UnknownBackend
            | ErrorKind::Unsupported => Self::Usage,
            ErrorKind::Connect => Self::Connect,
            ErrorKind::LockTimeout => Self::LockTimeout,
            ErrorKind::LockLost | ErrorKind::SessionLost => Self::Lost,
            ErrorKind::Diverged => Self::Diverged,
            ErrorKind::NotCurrent => Self::Pending,
            ErrorKind::Interrupted => Self::Interrupted(signal.unwrap_or(Signal::Interrupt)),
            _ => Self::Failed,
        }
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Pending => 3,
            Self::Diverged => 4,
            Self::LockTimeout => 5,
            Self::Connect => 6,
            Self::Lost => 7,
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
    fn every_kind_has_the_code_of_the_contract() {
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
            (ErrorKind::Interrupted, 130),
        ] {
            assert_eq!(Exit::of(kind, None).code(), code, "{kind}");
        }
        let terminated = Exit::of(ErrorKind::Interrupted, Some(Signal::Terminate));
        assert_eq!(terminated.code(), 143);
        assert_eq!(Exit::Done.code(), 0);
        assert_eq!(Exit::Pending.code(), 3);
    }
}
