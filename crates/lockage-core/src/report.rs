use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use crate::status::MigrationEntry;
use crate::{Action, Error, History, Migration, Plan, State, Step};

/// The outcome of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The run executed at least one step.
    Applied,
    /// Nothing was pending, at the start or after another replica finished.
    UpToDate,
    /// A migration is pending, and the call does not apply migrations.
    Pending,
    /// The run failed. The report lists what was applied before.
    Failed,
}

impl Outcome {
    /// Returns the name that JSON output uses.
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
    /// The version; `None` for a repeatable migration.
    pub version: Option<String>,
    /// The name.
    pub name: String,
    /// The duration.
    pub took: Duration,
}

/// A migration that is not applied yet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingMigration {
    /// The version; `None` for a repeatable migration.
    pub version: Option<String>,
    /// The name.
    pub name: String,
    /// The progress of an earlier run, if the migration was started and not finished. Only calls that read set it.
    pub unfinished: Option<Unfinished>,
}

/// The progress of a migration that an earlier run started and did not finish.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unfinished {
    /// [`State::Failed`] or [`State::Running`].
    pub state: State,
    /// The number of committed statements.
    pub statements_done: u32,
    /// The number of statements of the script when it ran.
    pub statements_total: u32,
}

impl PendingMigration {
    pub(crate) fn from_migration(migration: &Migration) -> Self {
        Self {
            version: migration.version().map(ToString::to_string),
            name: migration.name().to_owned(),
            unfinished: None,
        }
    }
}

/// The result of a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// The outcome.
    pub outcome: Outcome,
    /// The executed migrations, in order. For `down`, the undone ones.
    pub applied: Vec<AppliedMigration>,
    /// The pending migrations.
    pub pending: Vec<PendingMigration>,
    /// The time that the run waited for the lock.
    pub waited: Duration,
    /// Whether the run acquired the lock.
    pub took_lock: bool,
    /// The key of the lock, as text.
    pub lock: String,
    /// The database, without a password.
    pub database: String,
    /// The versions in the history that are newer than every file: the database is ahead of this program.
    pub ahead: Vec<String>,
    /// The step that was started and whose result is not known yet.
    started_step: Option<Step>,
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
            ahead: Vec::new(),
            started_step: None,
        }
    }

    pub(crate) fn begin_step(&mut self, step: &Step) {
        self.started_step = Some(step.clone());
    }

    pub(crate) fn finish_step(&mut self) {
        self.started_step = None;
    }

    pub(crate) fn has_open_step(&self) -> bool {
        self.started_step.is_some()
    }

    /// Records the step that was running when a session was lost, if the history shows that this run committed it.
    pub(crate) fn reconcile(&mut self, history: &History, run_id: &str) {
        let Some(step) = self.started_step.take() else {
            return;
        };
        let committed = history.rows.iter().find(|row| {
            row.version == step.migration.key()
                && row.state == State::Applied
                && row.run_id == run_id
        });
        match committed {
            Some(row) if step.action == Action::Apply => {
                self.record(&step, Duration::from_millis(row.duration_ms));
            }
            _ => {}
        }
    }

    pub(crate) fn record(&mut self, step: &Step, took: Duration) {
        self.outcome = Outcome::Applied;
        let PendingMigration { version, name, .. } =
            PendingMigration::from_migration(&step.migration);
        self.applied.push(AppliedMigration {
            version,
            name,
            took,
        });
    }

    /// Sets the progress of pending migrations that an earlier run started.
    pub(crate) fn set_unfinished(&mut self, entries: &[MigrationEntry]) {
        for pending in &mut self.pending {
            let row = entries
                .iter()
                .filter(|entry| {
                    let version = entry.version.as_ref().map(ToString::to_string);
                    (&version, &entry.name) == (&pending.version, &pending.name)
                })
                .find_map(|entry| entry.row.as_ref())
                .filter(|row| matches!(row.state, State::Failed | State::Running));
            pending.unfinished = row.map(|row| Unfinished {
                state: row.state.clone(),
                statements_done: row.statements_done,
                statements_total: row.statements_total,
            });
        }
    }

    /// Sets what is pending: the remaining `steps` of a plan and its deferred migrations.
    pub(crate) fn set_pending(&mut self, steps: &[Step], plan: &Plan) {
        self.pending = steps
            .iter()
            .map(|step| &step.migration)
            .chain(&plan.deferred)
            .map(|migration| PendingMigration::from_migration(migration))
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
