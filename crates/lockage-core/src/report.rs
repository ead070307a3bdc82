use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use crate::{Action, Error, History, Migration, Plan, State, Step};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// At least one step was applied.
    Applied,
    /// Nothing was pending, at the start or by the time another replica had finished.
    UpToDate,
    /// Something is pending and the run was not meant to apply it.
    Pending,
    /// The run failed; what was applied before that stands in the report.
    Failed,
}

impl Outcome {
    /// The outcome's name as it stands in JSON output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::UpToDate => "up_to_date",
            Self::Pending => "pending",
            Self::Failed => "failed",
        }
    }
}

/// A migration that a run applied.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppliedMigration {
    /// Its version; `None` for a repeatable one.
    pub version: Option<String>,
    /// Its name.
    pub name: String,
    /// How long it took.
    pub took: Duration,
}

/// A migration that is still to be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingMigration {
    /// Its version; `None` for a repeatable one.
    pub version: Option<String>,
    /// Its name.
    pub name: String,
}

impl PendingMigration {
    pub(crate) fn of(migration: &Migration) -> Self {
        Self {
            version: migration.version().map(ToString::to_string),
            name: migration.name().to_owned(),
        }
    }
}

/// What a run did.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// What was applied, in order.
    pub applied: Vec<AppliedMigration>,
    /// What is still pending.
    pub pending: Vec<PendingMigration>,
    /// How long the run waited for the lock.
    pub waited: Duration,
    /// Whether the run ever held the lock.
    pub took_lock: bool,
    /// The lock, as the user names it.
    pub lock: String,
    /// The database, without a password.
    pub database: String,
    /// Versions in the history that are newer than every file: the database is ahead of this program.
    pub future: Vec<String>,
    /// The step whose end is not known yet.
    step: Option<Step>,
}

impl Report {
    pub(crate) fn new(lock: String, database: String) -> Self {
        Self {
            outcome: Outcome::UpToDate,
            applied: Vec::new(),
            pending: Vec::new(),
            waited: Duration::ZERO,
            took_lock: false,
            lock,
            database,
            future: Vec::new(),
            step: None,
        }
    }

    pub(crate) fn open_step(&mut self, step: &Step) {
        self.step = Some(step.clone());
    }

    pub(crate) fn close_step(&mut self) {
        self.step = None;
    }

    pub(crate) fn is_step_open(&self) -> bool {
        self.step.is_some()
    }

    /// Records the step that was under way when a session was lost, where the history says that it was this run which did it.
    pub(crate) fn recall(&mut self, history: &History, run_id: &str) {
        let Some(step) = self.step.take() else { return };
        let done = history.rows.iter().find(|row| {
            row.version == step.migration.key()
                && row.state == State::Applied
                && row.run_id == run_id
        });
        match done {
            Some(row) if step.action == Action::Apply => {
                self.record(&step, Duration::from_millis(row.duration_ms));
            }
            _ => {}
        }
    }

    pub(crate) fn record(&mut self, step: &Step, took: Duration) {
        self.outcome = Outcome::Applied;
        let PendingMigration { version, name } = PendingMigration::of(&step.migration);
        self.applied.push(AppliedMigration {
            version,
            name,
            took,
        });
    }

    /// What is pending once all but these steps of a plan are done.
    pub(crate) fn set_pending(&mut self, steps: &[Step], plan: &Plan) {
        self.pending = steps
            .iter()
            .map(|step| &step.migration)
            .chain(&plan.beyond)
            .map(|migration| PendingMigration::of(migration))
            .collect();
    }
}

/// The error of a run, with the report of what the run did before it failed.
///
/// It dereferences to its [`Error`] and converts into it, so `?` works in a function that returns
/// [`Result<_>`](crate::Result). An [`Error`] from before the run, of a setting for example, converts into one without
/// a report.
#[derive(Debug)]
pub struct RunError {
    error: Error,
    report: Option<Box<Report>>,
}

impl RunError {
    pub(crate) fn new(error: Error, mut report: Report) -> Self {
        report.outcome = Outcome::Failed;
        Self {
            error,
            report: Some(Box::new(report)),
        }
    }

    /// Returns the error.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// Returns what the run did before it failed, with the outcome [`Outcome::Failed`]; `None` if the error is from before
    /// the run.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_deref()
    }

    /// Returns the error without the report.
    pub fn into_error(self) -> Error {
        self.error
    }

    /// Returns the error and the report.
    pub fn into_parts(self) -> (Error, Option<Report>) {
        (self.error, self.report.map(|report| *report))
    }

    /// Replaces the error, for example with one that has a better hint, and keeps the report.
    #[must_use]
    pub fn map_error(self, change: impl FnOnce(Error) -> Error) -> Self {
        Self {
            error: change(self.error),
            report: self.report,
        }
    }
}

impl Deref for RunError {
    type Target = Error;

    fn deref(&self) -> &Error {
        &self.error
    }
}

impl From<Error> for RunError {
    fn from(error: Error) -> Self {
        Self {
            error,
            report: None,
        }
    }
}

impl From<RunError> for Error {
    fn from(failed: RunError) -> Self {
        failed.error
    }
}

/// Prints the same text as the error.
impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.error)
    }
}
