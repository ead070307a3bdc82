//! The JSON object of a run, the same for success and failure.

use std::collections::BTreeMap;

use lockage::{AppliedMigration, Error, Outcome, PendingMigration, Report};
use serde::Serialize;

use super::Failure;
use super::diagnostic::causes;
use super::redact::redact;

/// What a run did, or what became of a command that failed.
#[derive(Debug, Serialize)]
pub(crate) struct Run {
    pub(crate) outcome: &'static str,
    pub(crate) applied: Vec<Done>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) undone: Option<Vec<Done>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) repaired: Option<Vec<Done>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) baselined: Option<Vec<Done>>,
    pub(crate) pending: Vec<Pending>,
    pub(crate) future: Vec<String>,
    pub(crate) waited_ms: u64,
    pub(crate) took_lock: bool,
    pub(crate) lock: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) error: Option<Mistake>,
}

/// What a run does with migrations: the word for how it ended, and the name of the list of what it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Applied,
    Undone,
    Repaired,
    Baselined,
    #[cfg(feature = "message-store")]
    Rebuilt,
}

impl Deed {
    fn as_str(self) -> &'static str {
        match self {
            Self::Applied => Outcome::Applied.as_str(),
            Self::Undone => "undone",
            Self::Repaired => "repaired",
            Self::Baselined => "baselined",
            #[cfg(feature = "message-store")]
            Self::Rebuilt => "rebuilt",
        }
    }
}

/// A migration with which something was done.
#[derive(Debug, Serialize)]
pub(crate) struct Done {
    version: Option<String>,
    name: String,
    ms: u64,
}

/// A migration that is still to be applied.
#[derive(Debug, Serialize)]
pub(crate) struct Pending {
    pub(crate) version: Option<String>,
    pub(crate) name: String,
}

/// An error.
#[derive(Debug, Serialize)]
pub(crate) struct Mistake {
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
    related: Vec<Mistake>,
}

impl Run {
    /// What a run did, or only saw. Nothing is applied but by a run that migrates up.
    pub(crate) fn of(report: &Report, deed: Deed) -> Self {
        let list = |of| (of == deed).then(|| report.applied.iter().map(Done::of).collect());
        Self {
            outcome: match report.outcome {
                Outcome::Applied => deed.as_str(),
                other => other.as_str(),
            },
            applied: list(Deed::Applied).unwrap_or_default(),
            undone: list(Deed::Undone),
            repaired: list(Deed::Repaired),
            baselined: list(Deed::Baselined),
            pending: report.pending.iter().map(Pending::of).collect(),
            future: report.future.clone(),
            waited_ms: millis(report.waited),
            took_lock: report.took_lock,
            lock: Some(report.lock.clone()),
            database: Some(redact(&report.database).into_owned()),
            error: None,
        }
    }

    /// A run that found nothing to do before it began.
    pub(crate) fn idle(database: String, lock: String, deed: Deed) -> Self {
        let none = |of| (of == deed).then(Vec::new);
        Self {
            undone: none(Deed::Undone),
            repaired: none(Deed::Repaired),
            baselined: none(Deed::Baselined),
            lock: Some(lock),
            database: Some(database),
            ..Self::nothing()
        }
    }

    /// Something that failed, with what it had done before that.
    pub(crate) fn of_failure(failure: &Failure) -> Self {
        let (database, lock) = (failure.database.clone(), failure.lock.clone());
        Self::of_error(&failure.error, failure.deed, database, lock)
    }

    /// The same, where only some of it is at hand.
    pub(crate) fn of_error(
        error: &Error,
        deed: Deed,
        database: Option<String>,
        lock: Option<String>,
    ) -> Self {
        let run = match error.report() {
            Some(report) => Self::of(report, deed),
            None => Self::nothing(),
        };
        Self {
            outcome: Outcome::Failed.as_str(),
            lock: run.lock.or(lock),
            database: run.database.or(database),
            error: Some(Mistake::of(error)),
            ..run
        }
    }

    /// A command line that was not understood.
    pub(crate) fn of_usage(message: String, hint: Option<String>) -> Self {
        Self {
            outcome: Outcome::Failed.as_str(),
            error: Some(Mistake::usage(message, hint)),
            ..Self::nothing()
        }
    }

    fn nothing() -> Self {
        Self {
            outcome: Outcome::UpToDate.as_str(),
            applied: Vec::new(),
            undone: None,
            repaired: None,
            baselined: None,
            pending: Vec::new(),
            future: Vec::new(),
            waited_ms: 0,
            took_lock: false,
            lock: None,
            database: None,
            error: None,
        }
    }
}

impl Done {
    fn of(applied: &AppliedMigration) -> Self {
        Self {
            version: applied.version.clone(),
            name: applied.name.clone(),
            ms: millis(applied.took),
        }
    }
}

impl Pending {
    fn of(pending: &PendingMigration) -> Self {
        Self {
            version: pending.version.clone(),
            name: pending.name.clone(),
        }
    }
}

impl Mistake {
    fn of(error: &Error) -> Self {
        let location = error.location();
        let clean = |text: &str| redact(text).trim_end().to_owned();
        Self {
            kind: error.kind().as_str(),
            message: clean(error.message()),
            file: location.map(|location| location.file.clone()),
            line: location.and_then(|location| location.line),
            column: location.and_then(|location| location.column),
            line_text: location.and_then(|location| location.line_text.clone()),
            hint: error.hint().map(clean),
            retryable: error.is_temporary(),
            context: error
                .context()
                .map(|(key, value)| (key, clean(value)))
                .collect(),
            causes: causes(error).collect(),
            related: error.related().iter().map(Self::of).collect(),
        }
    }

    fn usage(message: String, hint: Option<String>) -> Self {
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

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lockage::{ErrorKind, Location};
    use serde_json::json;

    #[test]
    fn a_failure_has_the_shape_of_the_contract() {
        let second = Error::new(ErrorKind::InvalidMigration, "second");
        let first = Error::new(ErrorKind::MigrationFailed, "no such table: a\n")
            .with_location(Location::at("V1__a.sql", 3, 8))
            .with_hint("see postgres://app:hunter2@db/shop")
            .with_context("code", "1")
            .with_source(std::io::Error::other("cause"));
        let failure = Failure {
            error: Error::combine([first, second]).unwrap(),
            database: Some("sqlite:a.db".into()),
            lock: Some("4006".into()),
            deed: Deed::Applied,
        };
        assert_eq!(
            serde_json::to_value(Run::of_failure(&failure)).unwrap(),
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
