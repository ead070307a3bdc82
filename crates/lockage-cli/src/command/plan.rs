//! `plan`, and `--dry-run` of `up` and `down`: shows what a run would do.

use std::io::{self, Write};

use lockage::status::{MigrationEntry, compare};
use lockage::{Error, History, Plan, PlanOptions, plan};
use serde::Serialize;

use super::plan_step::StepJson;
use super::target::Target;
use crate::args::PlanArgs;
use crate::config::Settings;
use crate::output::Output;
use crate::output::command_output::{CommandOutput, CommandResult, Style, write_json_value};
use crate::output::json::PendingJson;
use crate::output::text::format_count;
use crate::output::warning::warn_database_ahead;

pub(super) fn run(args: &PlanArgs, settings: &Settings, output: &Output) -> CommandResult {
    let options = settings.plan_options(args.plan.to.clone(), args.plan.steps);
    show_plan(&Target::new(settings, output)?, options, Direction::Up)
}

/// The direction of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Up,
    Down,
}

/// Returns what a run would do. Takes no lock and writes nothing.
pub(super) fn show_plan(
    target: &Target<'_>,
    options: PlanOptions,
    direction: Direction,
) -> CommandResult {
    let history = target.run(PlanOptions::default(), async |runner| {
        match runner.history().await {
            // A run would create the database, with an empty history.
            Err(error) if error.is_database_missing() && target.settings.create => {
                Ok(History::default())
            }
            history => history,
        }
    })?;
    let plan = match direction {
        Direction::Up => plan::plan_up(&target.set, &history, &options)?,
        Direction::Down => plan::plan_down(&target.set, &history, &options)?,
    };
    let script_errors = plan.steps.iter().filter_map(|step| {
        let checked = target.backend.check_script(&step.migration, &mut |_| {});
        checked.err()
    });
    if let Some(error) = Error::combine(script_errors) {
        return Err(error.into());
    }
    let entries = compare(&target.set, &history);
    Ok(Box::new(PlanOutput::new(
        target, &plan, &entries, &history, direction,
    )))
}

#[derive(Serialize)]
struct PlanOutput {
    outcome: &'static str,
    steps: Vec<StepJson>,
    applied: [(); 0],
    pending: Vec<PendingJson>,
    #[serde(rename = "future")]
    ahead: Vec<String>,
    waited_ms: u64,
    took_lock: bool,
    lock: String,
    database: String,
    error: Option<()>,
    #[serde(skip)]
    direction: Direction,
}

impl PlanOutput {
    fn new(
        target: &Target<'_>,
        plan: &Plan,
        entries: &[MigrationEntry],
        history: &History,
        direction: Direction,
    ) -> Self {
        let steps: Vec<StepJson> = plan
            .steps
            .iter()
            .map(|step| StepJson::new(target.backend, step, entries, history))
            .collect();
        let outcome = if steps.is_empty() {
            "up_to_date"
        } else {
            "pending"
        };
        Self {
            outcome,
            pending: match direction {
                Direction::Up => steps.iter().map(StepJson::to_pending).collect(),
                Direction::Down => Vec::new(),
            },
            steps,
            applied: [],
            ahead: plan.ahead.clone(),
            waited_ms: 0,
            took_lock: false,
            lock: target.settings.lock.to_string(),
            database: target.database(),
            error: None,
            direction,
        }
    }
}

impl CommandOutput for PlanOutput {
    fn is_primary_output(&self) -> bool {
        true
    }

    fn write_text(&self, out: &mut dyn Write, _: Style) -> io::Result<()> {
        for step in &self.steps {
            step.write_text(out)?;
        }
        let migrations = format_count(self.steps.len(), "migration");
        let database = &self.database;
        match (self.direction, self.steps.is_empty()) {
            (Direction::Up, true) => writeln!(out, "{database} is up to date")?,
            (Direction::Up, false) => writeln!(out, "{migrations} to apply to {database}")?,
            (Direction::Down, true) => writeln!(out, "nothing to undo in {database}")?,
            (Direction::Down, false) => writeln!(out, "{migrations} to undo in {database}")?,
        }
        warn_database_ahead(out, &self.ahead)
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        write_json_value(out, self)
    }
}
