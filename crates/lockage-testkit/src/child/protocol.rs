use std::path::PathBuf;

use lockage_core::{Error, LockKey, Report, RunError};
use serde::{Deserialize, Serialize};

/// What a child is to do: the first line that it reads. Never on its command line, since a URL may hold a password.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ChildCommand {
    pub(crate) role: ChildRole,
    pub(crate) url: String,
    pub(crate) key: Key,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum ChildRole {
    /// Says [`ChildMessage::Ready`], waits for a line, runs `up` with the migrations of a folder.
    Up {
        folder: PathBuf,
        /// Where the file stands that only the holder may make.
        holder_file: PathBuf,
    },
    /// Takes the lock, says [`ChildMessage::Holding`], and gives it back after a line.
    Hold,
}

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

/// What a child says, one line each.
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
