use std::sync::Arc;

use crate::Migration;

/// What a step does with its migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Runs the script and records it. If a part of it is already committed, continues after that part.
    Apply,
    /// Runs the undo script and marks the version as undone. The migration of the step is the undo script.
    Undo,
    /// Records the migration as applied without running it.
    MarkApplied,
    /// Replaces checksum and name in the history by those of the file.
    UpdateChecksum,
    /// Records that the statement that was running when a run died was applied.
    ResolveApplied,
    /// Records that the statement that was running when a run died was not applied, so that it runs again.
    ResolveNotApplied,
    /// Deletes the history row and the journal of the migration.
    DeleteRow,
}

/// One step of a plan.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Step {
    /// The migration.
    pub migration: Arc<Migration>,
    /// The action.
    pub action: Action,
    /// The number of statements in the script, with every repetition of a batch counted. The runner sets it when it checks
    /// the script; `None` for a step that runs no script, and for one that did not come from a runner.
    pub statements: Option<u32>,
}

impl Step {
    /// Creates a step.
    pub fn new(migration: Arc<Migration>, action: Action) -> Self {
        Self {
            migration,
            action,
            statements: None,
        }
    }

    /// Returns whether the step runs the script of its migration.
    pub fn runs_script(&self) -> bool {
        matches!(self.action, Action::Apply | Action::Undo)
    }
}

/// The result of a step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepResult {
    /// The number of statements that ran. It is smaller than the number of statements in the script if an earlier run
    /// committed some of them.
    pub statements: u32,
}

impl StepResult {
    /// Creates a result from the number of statements that ran.
    pub fn new(statements: u32) -> Self {
        Self { statements }
    }
}
