//! The JSON object of a run. Success and failure have the same keys.

use std::collections::BTreeMap;

use lockage::redact::mask_secrets;
use lockage::{AppliedMigration, Error, Outcome, PendingMigration, Report, RunError};
use serde::Serialize;

use super::diagnostic::{causes, clean_text};
use super::failure::CommandFailure;
use super::run_kind::RunKind;

/// The result of a run, or of a command that failed.
#[derive(Debug, Serialize)]
pub(crate) struct RunJson {
    pub(crate) outcome: &'static str,
    pub(crate) applied: Vec<AppliedJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) undone: Option<Vec<AppliedJson>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) repaired: Option<Vec<AppliedJson>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) baselined: Option<Vec<AppliedJson>>,
    pub(crate) pending: Vec<PendingJson>,
    #[serde(rename = "future")]
    pub(crate) ahead: Vec<String>,
    pub(crate) waited_ms: u64,
    pub(crate) took_lock: bool,
    pub(crate) lock: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) error: Option<ErrorJson>,
}

/// A migration that a run applied, undid, repaired or marked.
#[derive(Debug, Serialize)]
pub(crate) struct AppliedJson {
    version: Option<String>,
    name: String,
    ms: u64,
}

/// A pending migration.
#[derive(Debug, Serialize)]
pub(crate) struct PendingJson {
    pub(crate) version: Option<String>,
    pub(crate) name: String,
}

/// An error, with the related errors that were found together with it.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorJson {
    kind: &'static str,
    message: String,
    file: Option<String>,
    line: Option<u32>,
    column: Option<u32>,
    line_text: Option<String>,
    hint: Option<String>,
    retryable: bool,
    context: BTreeMap<&'static str, String>,
    causes: Vec<String>,
    related: Vec<ErrorJson>,
}

impl RunJson {
    /// Returns the object for a report. The migrations of the report are in the list of `kind`; the other lists are empty or left out.
    pub(crate) fn from_report(report: &Report, kind: RunKind) -> Self {
        let list = |of| {
            (of == kind).then(|| {
                let applied = report.applied.iter();
                applied.map(AppliedJson::from_applied).collect()
            })
        };
        Self {
            outcome: match report.outcome {
                Outcome::Applied => kind.as_str(),
                other => other.as_str(),
            },
            applied: list(RunKind::Applied).unwrap_or_default(),
            undone: list(RunKind::Undone),
            repaired: list(RunKind::Repaired),
            baselined: list(RunKind::Baselined),
            pending: report
                .pending
                .iter()
                .map(PendingJson::from_pending)
                .collect(),
            ahead: report.ahead.clone(),
            waited_ms: millis(report.waited),
            took_lock: report.took_lock,
            lock: Some(report.lock.clone()),
            database: Some(mask_secrets(&report.database).into_owned()),
            error: None,
        }
    }

    /// Returns the object of a run that had nothing to do and did not start.
    pub(crate) fn idle(database: String, lock: String, kind: RunKind) -> Self {
        let none = |of| (of == kind).then(Vec::new);
        Self {
            undone: none(RunKind::Undone),
            repaired: none(RunKind::Repaired),
            baselined: none(RunKind::Baselined),
            lock: Some(lock),
            database: Some(database),
            ..Self::empty()
        }
    }

    /// Returns the object of a command that failed, with what it did before.
    pub(crate) fn from_failure(failure: &CommandFailure) -> Self {
        let (database, lock) = (failure.database.clone(), failure.lock.clone());
        Self::from_error(&failure.error, failure.kind, database, lock)
    }

    /// Returns the object of an error. `database` and `lock` are used if the error has no report that names them.
    pub(crate) fn from_error(
        error: &RunError,
        kind: RunKind,
        database: Option<String>,
        lock: Option<String>,
    ) -> Self {
        let run = match error.report() {
            Some(report) => Self::from_report(report, kind),
            None => Self::empty(),
        };
        Self {
            outcome: Outcome::Failed.as_str(),
            lock: run.lock.or(lock),
            database: run.database.or(database),
            error: Some(ErrorJson::from_error(error)),
            ..run
        }
    }

    /// Returns the object of invalid arguments.
    pub(crate) fn from_usage_error(message: String, hint: Option<String>) -> Self {
        Self {
            outcome: Outcome::Failed.as_str(),
            error: Some(ErrorJson::from_usage_error(message, hint)),
            ..Self::empty()
        }
    }

    fn empty() -> Self {
        Self {
            outcome: Outcome::UpToDate.as_str(),
            applied: Vec::new(),
            undone: None,
            repaired: None,
            baselined: None,
            pending: Vec::new(),
            ahead: Vec::new(),
            waited_ms: 0,
            took_lock: false,
            lock: None,
            database: None,
            error: None,
        }
    }
}

impl AppliedJson {
    fn from_applied(applied: &AppliedMigration) -> Self {
        Self {
            version: applied.version.clone(),
            name: applied.name.clone(),
            ms: millis(applied.took),
        }
    }
}

impl PendingJson {
    fn from_pending(pending: &PendingMigration) -> Self {
        Self {
            version: pending.version.clone(),
            name: pending.name.clone(),
        }
    }
}

impl ErrorJson {
    fn from_error(error: &Error) -> Self {
        let location = error.location();
        Self {
            kind: error.kind().as_str(),
            message: clean_text(error.message()),
            file: location.map(|location| location.file.clone()),
            line: location.and_then(|location| location.line),
            column: location.and_then(|location| location.column),
            line_text: location.and_then(|location| location.line_text.clone()),
            hint: error.hint().map(clean_text),
            retryable: error.is_temporary(),
            context: error
                .context()
                .map(|(key, value)| (key, clean_text(value)))
                .collect(),
            causes: causes(error).collect(),
            related: error.related().iter().map(Self::from_error).collect(),
        }
    }

    fn from_usage_error(message: String, hint: Option<String>) -> Self {
        Self {
            kind: "usage",
            message,
            file: None,
            line: None,
            column: None,
            line_text: None,
            hint,
            retryable: false,
            context: BTreeMap::new(),
            causes: Vec::new(),
            related: Vec::new(),
        }
    }
}

/// Returns a duration in milliseconds.
pub(super) fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lockage::{ErrorKind, Location};
    use serde_json::json;

    #[test]
    fn failure_has_documented_keys() {
        let second = Error::new(ErrorKind::InvalidMigration, "second");
        let first = Error::new(ErrorKind::MigrationFailed, "no such table: a\n")
            .with_location(Location::at("V1__a.sql", 3, 8))
            .with_hint("see postgres://app:hunter2@db/shop")
            .with_context("code", "1")
            .with_source(std::io::Error::other("cause"));
        let failure = CommandFailure {
            error: Error::combine([first, second]).unwrap().into(),
            database: Some("sqlite:a.db".into()),
            lock: Some("4006".into()),
            kind: RunKind::Applied,
        };
        assert_eq!(
            serde_json::to_value(RunJson::from_failure(&failure)).unwrap(),
            json!({
                "outcome": "failed", "applied": [], "pending": [], "future": [], "waited_ms": 0, "took_lock": false,
                "lock": "4006", "database": "sqlite:a.db",
                "error": {
                    "kind": "migration_failed", "message": "no such table: a", "file": "V1__a.sql", "line": 3, "column": 8,
                    "line_text": null, "hint": "see postgres://app:***@db/shop", "retryable": false,
                    "context": {"code": "1"}, "causes": ["cause"],
                    "related": [{
                        "kind": "invalid_migration", "message": "second", "file": null, "line": null, "column": null,
                        "line_text": null, "hint": null, "retryable": false, "context": {}, "causes": [], "related": []
                    }]
                }
            })
        );
    }
}
