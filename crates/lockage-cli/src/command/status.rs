//! `status`: shows every migration and its state.

use std::io::{self, Write};
use std::time::Duration;

use comfy_table::Cell;
use lockage::status::{MigrationEntry, MigrationStatus, compare};
use lockage::{ErrorKind, PlanOptions, State, plan};
use serde::Serialize;

use super::entry::{entry_version, format_state, format_time, status_color};
use super::target::Target;
use crate::config::Settings;
use crate::output::Output;
use crate::output::command_output::{CommandOutput, CommandResult, Style, write_json_value};
use crate::output::json::{PendingJson, RunJson};
use crate::output::run_kind::RunKind;
use crate::output::table::{colored, format_table, new_table};
use crate::output::text::{format_count, format_duration};

pub(super) fn run(settings: &Settings, output: &Output) -> CommandResult {
    let target = Target::new(settings, output)?;
    let history = target.run(PlanOptions::default(), async |runner| {
        runner.history().await
    })?;
    let outcome = match plan::plan_up(&target.set, &history, &settings.plan_options(None, None)) {
        Ok(plan) if plan.is_empty() => "up_to_date",
        Ok(_) => "pending",
        Err(error) if error.kind() == ErrorKind::Diverged => "diverged",
        Err(error) => return Err(error.into()),
    };
    let entries = compare(&target.set, &history);
    let idle = RunJson::idle(
        target.database(),
        settings.lock.to_string(),
        RunKind::Applied,
    );
    Ok(Box::new(StatusOutput {
        run: RunJson {
            outcome,
            pending: pending(&entries),
            ahead: versions_ahead(&entries),
            ..idle
        },
        migrations: entries.iter().map(MigrationJson::from_entry).collect(),
    }))
}

fn pending(entries: &[MigrationEntry]) -> Vec<PendingJson> {
    let pending = entries.iter().filter(|entry| entry.status.is_pending());
    pending
        .map(|entry| PendingJson {
            version: entry.version.as_ref().map(ToString::to_string),
            name: entry.name.clone(),
        })
        .collect()
}

/// Returns the versions in the history that are newer than every file.
fn versions_ahead(entries: &[MigrationEntry]) -> Vec<String> {
    let ahead = entries
        .iter()
        .filter(|entry| entry.status == MigrationStatus::Future);
    ahead
        .filter_map(|entry| Some(entry.row.as_ref()?.version.clone()))
        .collect()
}

#[derive(Serialize)]
struct StatusOutput {
    #[serde(flatten)]
    run: RunJson,
    migrations: Vec<MigrationJson>,
}

/// One migration. Fields of the history are null if the history has no row.
#[derive(Serialize)]
struct MigrationJson {
    version: Option<String>,
    name: String,
    kind: &'static str,
    state: &'static str,
    file: Option<String>,
    checksum: Option<String>,
    applied_at: Option<String>,
    applied_by: Option<String>,
    ms: Option<u64>,
    statements_done: Option<u32>,
    statements_total: Option<u32>,
    #[serde(skip)]
    status: MigrationStatus,
}

impl MigrationJson {
    fn from_entry(entry: &MigrationEntry) -> Self {
        // An undone migration is pending again, so the time of its earlier application is left out.
        let row = entry.row.as_ref().filter(|row| row.state != State::Undone);
        let migration = entry.migration.as_ref();
        Self {
            version: entry_version(entry),
            name: entry.name.clone(),
            kind: entry.kind.as_str(),
            state: entry.status.as_str(),
            file: migration.map(|migration| migration.file().to_owned()),
            checksum: migration
                .map(|migration| migration.checksum().to_string())
                .or_else(|| row.map(|row| row.checksum.clone())),
            applied_at: row.map(|row| row.applied_at.clone()),
            applied_by: row.map(|row| row.applied_by.clone()),
            ms: row.map(|row| row.duration_ms),
            statements_done: row.map(|row| row.statements_done),
            statements_total: row.map(|row| row.statements_total),
            status: entry.status,
        }
    }
}

impl StatusOutput {
    /// Returns `3 migrations: 2 applied, 1 pending`, in the order of first appearance.
    fn summary(&self) -> String {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for row in &self.migrations {
            match counts.iter_mut().find(|(state, _)| *state == row.state) {
                Some((_, count)) => *count += 1,
                None => counts.push((row.state, 1)),
            }
        }
        let counts = counts
            .iter()
            .map(|(state, count)| format!("{count} {state}"));
        let counts: Vec<String> = counts.collect();
        let migrations = format_count(self.migrations.len(), "migration");
        match counts.as_slice() {
            [] => migrations,
            counts => format!("{migrations}: {}", counts.join(", ")),
        }
    }
}

impl CommandOutput for StatusOutput {
    fn is_primary_output(&self) -> bool {
        true
    }

    fn write_text(&self, out: &mut dyn Write, style: Style) -> io::Result<()> {
        let mut table = new_table(
            style,
            &["version", "name", "kind", "state", "when", "took", "by"],
        );
        for row in &self.migrations {
            let state = format_state(row.state, row.statements_done, row.statements_total);
            let took = row.ms.map(|ms| format_duration(Duration::from_millis(ms)));
            table.add_row([
                Cell::new(row.version.as_deref().unwrap_or("")),
                Cell::new(&row.name),
                Cell::new(row.kind),
                colored(state, status_color(row.status)),
                Cell::new(format_time(row.applied_at.as_deref())),
                Cell::new(took.unwrap_or_default()),
                Cell::new(row.applied_by.as_deref().unwrap_or("")),
            ]);
        }
        writeln!(out, "{}", format_table(table))?;
        writeln!(out, "{}", self.summary())
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        write_json_value(out, self)
    }
}
