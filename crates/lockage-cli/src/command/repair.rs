//! `repair`: repairs the history after a confirmation.

use std::io::{self, Write};

use comfy_table::Cell;
use lockage::redact::mask_secrets;
use lockage::status::{MigrationEntry, MigrationStatus};
use lockage::{Action, Error, ErrorKind, Kind, PlanOptions, Repairs, RunError};
use serde::Serialize;

use super::entry::{entry_version, format_state, format_time, status_color};
use super::target::Target;
use crate::args::{RepairArgs, Resolve};
use crate::config::Settings;
use crate::output::Output;
use crate::output::command_output::{CommandOutput, CommandResult, Style, write_json_value};
use crate::output::confirm::Confirmation;
use crate::output::json::RunJson;
use crate::output::run_kind::RunKind;
use crate::output::table::{colored, format_table, new_table};
use crate::output::text::{first_line, format_count};

/// The maximum length of a statement's text, in characters.
const MAX_STATEMENT_LEN: usize = 200;

pub(super) fn run(args: &RepairArgs, settings: &Settings, output: &Output) -> CommandResult {
    let target = Target::new(settings, output)?;
    let (steps, report) = target.run::<_, RunError>(PlanOptions::default(), async |runner| {
        let repairs = match args.resolve {
            None => runner.repairs().await?,
            Some(resolve) => runner.in_doubt(resolve == Resolve::Applied).await?,
        };
        if !args.force {
            reject_other_set(&repairs)?;
        }
        let steps = repairs
            .iter()
            .map(|repair| RepairJson::new(repair, &target));
        let steps = RepairsJson(steps.collect());
        if !args.yes {
            if steps.0.is_empty() {
                return Ok((steps, None));
            }
            let confirmation = Confirmation {
                question: format!("Repair {}?", target.database()),
                refused: "nothing was repaired",
            };
            let details = |out: &mut dyn Write, style| steps.write_table(out, style);
            let summary = || Some(("would_repair", steps.describe()));
            confirmation
                .ask(output, &target.interrupt, details, summary)
                .await?;
        }
        let report = runner.repair(&repairs).await?;
        Ok((steps, Some(report)))
    })?;
    Ok(Box::new(RepairOutput {
        run: match report {
            Some(report) => RunJson::from_report(&report, RunKind::Repaired),
            None => RunJson::idle(
                target.database(),
                settings.lock.to_string(),
                RunKind::Repaired,
            ),
        },
        steps,
    }))
}

/// Returns an error if a repair would replace the row of another set of migrations.
fn reject_other_set(repairs: &Repairs) -> lockage::Result<()> {
    let errors = repairs
        .iter()
        .map(|repair| &repair.entry)
        .filter(|entry| entry.is_of_another_set())
        .map(|entry| {
            let row_name = entry.row.as_ref().map_or("", |row| row.name.as_str());
            Error::new(
                ErrorKind::Diverged,
                format!(
                    "version {} in the history is `{row_name}` and in the files `{}`: two sets of migrations share one \
                     history, and nothing was repaired",
                    entry_version(entry).unwrap_or_default(),
                    entry.name
                ),
            )
            .with_hint(
                "give each set a history of its own (another schema, or ConnectOptions::history_table); if the file was \
                 renamed and changed, accept it with --force",
            )
        });
    Error::combine(errors).map_or(Ok(()), Err)
}

/// The proposed repairs.
#[derive(Serialize)]
#[serde(transparent)]
struct RepairsJson(Vec<RepairJson>);

#[derive(Serialize)]
struct RepairJson {
    version: Option<String>,
    name: String,
    kind: &'static str,
    state: &'static str,
    applied_at: Option<String>,
    applied_by: Option<String>,
    statements_done: Option<u32>,
    statements_total: Option<u32>,
    action: &'static str,
    /// The statement that was running, if the script still contains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<String>,
    #[serde(skip)]
    status: MigrationStatus,
    /// A description of the action.
    #[serde(skip)]
    description: &'static str,
}

impl RepairsJson {
    fn describe(&self) -> String {
        let lines = self.0.iter().map(|repair| {
            let title = repair.version.as_deref().unwrap_or("repeatable");
            let (state, description) = (repair.format_state(), repair.describe());
            format!("{title} {} ({state}): {description}", repair.name)
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    fn write_table(&self, out: &mut dyn Write, style: Style) -> io::Result<()> {
        let mut table = new_table(
            style,
            &["version", "name", "kind", "state", "when", "by", "repair"],
        );
        for repair in &self.0 {
            table.add_row([
                Cell::new(repair.version.as_deref().unwrap_or("")),
                Cell::new(&repair.name),
                Cell::new(repair.kind),
                colored(repair.format_state(), status_color(repair.status)),
                Cell::new(format_time(repair.applied_at.as_deref())),
                Cell::new(repair.applied_by.as_deref().unwrap_or("")),
                Cell::new(repair.describe()),
            ]);
        }
        writeln!(out, "{}", format_table(table))
    }
}

impl RepairJson {
    fn new(repair: &lockage::Repair, target: &Target<'_>) -> Self {
        let (entry, action) = (&repair.entry, repair.step.action);
        let row = entry.row.as_ref();
        let (word, description) = match action {
            Action::UpdateChecksum => ("accept", "update its checksum to that of the current file"),
            Action::ResolveApplied => (
                "settle_done",
                "record the running statement as applied and continue after it",
            ),
            Action::ResolveNotApplied => (
                "settle_again",
                "record the running statement as not applied and run it again",
            ),
            _ if entry.status == MigrationStatus::Missing => {
                ("forget", "delete its history row, since it has no file")
            }
            _ => (
                "forget",
                "delete its progress and start again from its first statement",
            ),
        };
        let is_in_doubt = matches!(action, Action::ResolveApplied | Action::ResolveNotApplied);
        Self {
            version: entry_version(entry),
            name: entry.name.clone(),
            kind: entry.kind.as_str(),
            statement: is_in_doubt
                .then(|| running_statement(entry, target))
                .flatten(),
            state: entry.status.as_str(),
            applied_at: row.map(|row| row.applied_at.clone()),
            applied_by: row.map(|row| row.applied_by.clone()),
            statements_done: row.map(|row| row.statements_done),
            statements_total: row.map(|row| row.statements_total),
            action: word,
            status: entry.status,
            description,
        }
    }

    fn describe(&self) -> String {
        match &self.statement {
            Some(statement) => {
                let statement = first_line(&mask_secrets(statement), MAX_STATEMENT_LEN);
                format!("{}: {statement}", self.description)
            }
            None => self.description.to_owned(),
        }
    }

    fn format_state(&self) -> String {
        format_state(self.state, self.statements_done, self.statements_total)
    }
}

/// Returns the first statement after the completed ones, from the current file.
fn running_statement(entry: &MigrationEntry, target: &Target<'_>) -> Option<String> {
    let done = entry.row.as_ref()?.statements_done;
    let script = match entry.status {
        MigrationStatus::Undoing => target.set.find(Kind::Undo, entry.version.as_ref()?)?,
        _ => entry.migration.as_ref()?,
    };
    let (mut index, mut found) = (0, None);
    // The next run reports a script that cannot be read.
    let _ = target.backend.check_script(script, &mut |statement| {
        if index == done {
            found = Some(statement.text.to_owned());
        }
        index += 1;
    });
    found
}

/// The result of `repair`. The steps are those that were shown and confirmed.
#[derive(Serialize)]
struct RepairOutput {
    #[serde(flatten)]
    run: RunJson,
    steps: RepairsJson,
}

impl CommandOutput for RepairOutput {
    fn write_text(&self, out: &mut dyn Write, _: Style) -> io::Result<()> {
        let database = self.run.database.as_deref().unwrap_or_default();
        match self.run.repaired.as_deref().unwrap_or_default() {
            [] => writeln!(out, "nothing to repair in {database}"),
            repaired => {
                let migrations = format_count(repaired.len(), "migration");
                writeln!(out, "{migrations} repaired in {database}")
            }
        }
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        write_json_value(out, self)
    }
}
