use std::path::PathBuf;

use lockage_core::{Error, LockKey, Report, RunError};
use serde::{Deserialize, Serialize};

/// The command for a child, which is the first line on its standard input. It is not on the command line, because a URL may contain a
/// password.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ChildCommand {
    pub(crate) role: ChildRole,
    pub(crate) url: String,
    pub(crate) key: Key,
}

/// The role of a child.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum ChildRole {
    /// Sends [`ChildMessage::Ready`], waits for a line and runs `up` with the migrations of a folder.
    Up {
        folder: PathBuf,
        /// The file of the [`ExclusivityProbe`](crate::ExclusivityProbe).
        exclusivity_file: PathBuf,
    },
    /// Acquires the lock, sends [`ChildMessage::Holding`], waits for a line and releases the lock.
    Hold,
}

/// A [`LockKey`] that can be serialized.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Key {
    Id(i64),
    Name(String),
}

impl From<&LockKey> for Key {
    fn from(key: &LockKey) -> Self {
        match (key.as_id(), key.as_name()) {
            (Some(id), _) => Self::Id(id),
            (None, name) => Self::Name(name.unwrap_or_default().to_owned()),
        }
    }
}

impl Key {
    pub(crate) fn to_lock_key(&self) -> lockage_core::Result<LockKey> {
        match self {
            Self::Id(id) => Ok(LockKey::id(*id)),
            Self::Name(name) => LockKey::named(name.clone()),
        }
    }
}

/// A message of a child. Each message is one line on its standard output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum ChildMessage {
    Ready,
    Holding,
    Released,
    Done {
        outcome: String,
        took_lock: bool,
        applied: Vec<String>,
    },
    Failed {
        kind: String,
        message: String,
    },
}

impl From<Result<Report, RunError>> for ChildMessage {
    fn from(done: Result<Report, RunError>) -> Self {
        match done {
            Ok(report) => Self::Done {
                outcome: report.outcome.as_str().to_owned(),
                took_lock: report.took_lock,
                applied: report
                    .applied
                    .into_iter()
                    .map(|done| done.version.unwrap_or(done.name))
                    .collect(),
            },
            Err(error) => Self::failed(&error),
        }
    }
}

impl ChildMessage {
    pub(crate) fn failed(error: &Error) -> Self {
        Self::Failed {
            kind: error.kind().to_string(),
            message: crate::format_error_chain(error),
        }
    }
}
