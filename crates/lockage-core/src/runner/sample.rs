//! Rows and plans for this module's tests.

use crate::{Action, HistoryRow, Kind, Plan, State};

pub(super) fn row(version: &str, state: State, checksum: &str) -> HistoryRow {
    HistoryRow {
        version: version.into(),
        name: "x".into(),
        kind: Kind::Versioned,
        checksum: checksum.into(),
        state,
        applied_at: String::new(),
        applied_by: String::new(),
        duration_ms: 0,
        statements_done: 0,
        statements_total: 0,
        run_id: String::new(),
        tool_version: String::new(),
    }
}

pub(super) fn actions(plan: &Plan) -> Vec<(String, Action)> {
    plan.steps
        .iter()
        .map(|step| (step.migration.key(), step.action))
        .collect()
}
