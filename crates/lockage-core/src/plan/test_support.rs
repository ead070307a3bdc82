//! Fixtures of the unit tests in this module.

use crate::{Action, HistoryRow, Kind, Plan, State};

pub(super) fn row(version: &str, state: State, checksum: &str) -> HistoryRow {
    HistoryRow::new(version, "x", Kind::Versioned, checksum, state)
}

pub(super) fn actions(plan: &Plan) -> Vec<(String, Action)> {
    plan.steps
        .iter()
        .map(|step| (step.migration.key(), step.action))
        .collect()
}
