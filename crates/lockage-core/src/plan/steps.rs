//! The options and the result of planning.

use std::sync::Arc;

use crate::migration::{Migration, Version};
use crate::step::Step;

/// Limits and tolerances of a plan.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PlanOptions {
    /// The target version. `up` applies no newer version; `down` undoes every newer version.
    pub to: Option<Version>,
    /// The maximum number of steps.
    pub steps: Option<usize>,
    /// Whether to apply migrations that are older than an applied one. Otherwise they are an error.
    pub out_of_order: bool,
    /// Whether a database that is ahead of the files is an error, and a versioned migration without a statement.
    pub strict: bool,
}

/// The plan of a run.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Plan {
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The migrations that stay pending because of the options.
    pub deferred: Vec<Arc<Migration>>,
    /// The versions in the history that are newer than every file.
    pub ahead: Vec<String>,
}

impl Plan {
    pub(crate) fn from_steps(steps: Vec<Step>) -> Self {
        Self {
            steps,
            ..Self::default()
        }
    }

    /// Returns whether the plan has no steps.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}
