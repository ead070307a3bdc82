use std::io::{self, Write};
use std::time::Duration;

use comfy_table::{Cell, Color};
use lockage::status::{MigrationEntry, MigrationStatus, survey};
use lockage::{ErrorKind, Kind, PlanOptions, plan};
use serde::Serialize;

use super::target::Target;
use super::{Answered, json_line};
use crate::config::Settings;
use crate::output::json::{Deed, Pending, Run};
use crate::output::table::{colored, table};
use crate::output::text::duration;
use crate::output::{Answer, Output, Style};

pub(super) fn run(settings: &Settings, output: &Output) -> Answered {
    let target = Target::new(settings, output)?;
    let history = target.run(PlanOptions::default(), async |runner| {
        runner.history().await
    })?;
    let outcome = match plan::plan(&target.set, &history, &settings.plan_options(None, None)) {
        Ok(plan) if plan.is_empty() => "up_to_date",
        Ok(_) => "pending",
        Err(error) if error.kind() == ErrorKind::Diverged => "diverged",
        Err(error) => return Err(error),
    };
    let entries = survey(&target.set, &history);
    let idle = Run::idle(target.database(), settings.lock.to_string(), Deed::Applied);
    Ok(Box::new(Status {
        run: Run {
            outcome,
            pending: pending(&entries),
            future: future(&entries),
            ..idle
        },
        migrations: entries.iter().map(Row::of).collect(),
    }))
}

fn pending(entries: &[MigrationEntry]) -> Vec<Pending> {
    let pending = entries.iter().filter(|entry| entry.standing.is_pending());
    pending
        .map(|entry| Pending {
            version: entry.version.as_ref().map(ToString::to_string),
            name: entry.name.clone(),
        })
        .collect()
}

fn future(entries: &[MigrationEntry]) -> Vec<String> {
    let future = entries
        .iter()
        .filter(|entry| entry.standing == MigrationStatus::Future);
    future
        .filter_map(|entry| Some(entry.row.as_ref()?.version.clone()))
        .collect()
}

#[derive(Serialize)]
struct Status {
    #[serde(flatten)]
    run: Run,
    migrations: Vec<Row>,
}

/// One migration; what the history does not know is null.
#[derive(Serialize)]
struct Row {
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
    color: Color,
}

impl Row {
    fn of(entry: &MigrationEntry) -> Self {
        // What was undone is pending again: when it once was applied tells nothing.
        let row = entry
            .row
            .as_ref()
            .filter(|row| row.state != lockage::State::Undone);
        Self {
            version: version(entry),
            name: entry.name.clone(),
            kind: entry.kind.as_str(),
            state: entry.standing.as_str(),
            file: entry
                .migration
                .as_ref()
                .map(|migration| migration.file().to_owned()),
            checksum: entry
                .migration
                .as_ref()
                .map(|migration| migration.checksum().to_string())
                .or_else(|| row.map(|row| row.checksum.clone())),
            applied_at: row.map(|row| row.applied_at.clone()),
            applied_by: row.map(|row| row.applied_by.clone()),
            ms: row.map(|row| row.duration_ms),
            statements_done: row.map(|row| row.statements_done),
            statements_total: row.map(|row| row.statements_total),
            color: color(entry.standing),
        }
    }
}

/// The version; what is none is told as it stands in the history.
pub(super) fn version(entry: &MigrationEntry) -> Option<String> {
    match (&entry.version, &entry.row) {
        (Some(version), _) => Some(version.to_string()),
        (None, Some(row)) if entry.kind != Kind::Repeatable => Some(row.version.clone()),
        (None, _) => None,
    }
}

/// The colour of a state.
pub(super) fn color(standing: MigrationStatus) -> Color {
    match standing {
        MigrationStatus::Applied => Color::Green,
        MigrationStatus::Pending | MigrationStatus::Running => Color::Yellow,
        MigrationStatus::Ignored | MigrationStatus::Future => Color::Blue,
        _ => Color::Red,
    }
}

/// The state, and how far a migration came that was begun.
pub(super) fn state(state: &str, done: Option<u32>, total: Option<u32>) -> String {
    match (state, done, total) {
        ("failed" | "running", Some(done), Some(total)) => format!("{state} ({done}/{total})"),
        _ => state.to_owned(),
    }
}

/// `2026-01-31T09:30:00.123Z` without the part that nobody reads.
pub(super) fn to_the_second(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, rest)) => {
            let zone = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{seconds}{zone}")
        }
        None => time.to_owned(),
    }
}

impl Answer for Status {
    fn is_asked_for(&self) -> bool {
        true
    }

    fn write_text(&self, out: &mut dyn Write, style: Style) -> io::Result<()> {
        let mut table = table(
            style,
            &["version", "name", "kind", "state", "when", "took", "by"],
        );
        for row in &self.migrations {
            let state = state(row.state, row.statements_done, row.statements_total);
            let took = row.ms.map(|ms| duration(Duration::from_millis(ms)));
            table.add_row([
                Cell::new(row.version.as_deref().unwrap_or("")),
                Cell::new(&row.name),
                Cell::new(row.kind),
                colored(state, row.color),
                Cell::new(
                    row.applied_at
                        .as_deref()
                        .map_or_else(String::new, to_the_second),
                ),
                Cell::new(took.unwrap_or_default()),
                Cell::new(row.applied_by.as_deref().unwrap_or("")),
            ]);
        }
        writeln!(out, "{}", table.trim_fmt())
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        json_line(out, self)
    }
}
