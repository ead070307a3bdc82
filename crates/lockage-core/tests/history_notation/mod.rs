//! A short notation for files and histories: `V1`, `U1`, `B5`, `R:views`. In a history a state follows, as in `V1 applied`; an
//! exclamation mark means that the checksums of row and file differ.
#![allow(dead_code, reason = "each test file uses a part of it")]

use lockage_core::plan::plan_up;
use lockage_core::status::{MigrationEntry, compare};
use lockage_core::{
    Action, Error, History, HistoryRow, Kind, Migration, MigrationSet, Plan, PlanOptions, State,
    Step, Version,
};

/// `V1 U1 R:views` as a set; the text of a file is its name.
pub(crate) fn set(files: &str) -> MigrationSet {
    MigrationSet::from_texts(files.split_whitespace().map(|file| {
        let name = match file.split_once(':') {
            Some((_, name)) => format!("R__{name}.sql"),
            None => format!("{file}__m.sql"),
        };
        (name, format!("SELECT '{file}';"))
    }))
    .unwrap()
}

/// `V1 applied, R:views failed!` as a history of a set.
pub(crate) fn history(set: &MigrationSet, rows: &str) -> History {
    let rows = rows.split(',').map(str::trim).filter(|row| !row.is_empty());
    History::new(rows.map(|row| read_row(set, row)).collect())
}

fn read_row(set: &MigrationSet, text: &str) -> HistoryRow {
    let (file, state) = text.split_once(' ').unwrap();
    let kind = kind_of(file);
    let version = match kind {
        Kind::Repeatable => file.to_owned(),
        _ => file[1..].to_owned(),
    };
    let found = set.iter().find(|m| m.kind() == kind && is(m, &version));
    let checksum = match found {
        Some(found) if !state.ends_with('!') => found.checksum().to_string(),
        _ => "of another text".to_owned(),
    };
    let name = version.strip_prefix("R:").unwrap_or("m").to_owned();
    let state = State::from(state.trim_end_matches('!'));
    HistoryRow::new(version, name, kind, checksum, state)
}

fn kind_of(file: &str) -> Kind {
    match file.as_bytes()[0] {
        b'V' => Kind::Versioned,
        b'B' => Kind::Baseline,
        b'U' => Kind::Undo,
        _ => Kind::Repeatable,
    }
}

/// Changes a history like a backend that executes a step up to a state.
pub(crate) fn record(history: &mut History, step: &Step, state: State) {
    let migration = &step.migration;
    let is_same = |row: &HistoryRow| match migration.version() {
        Some(version) => row.parsed_version().as_ref() == Some(version),
        None => row.version == migration.key(),
    };
    if step.action == Action::Undo {
        let row = history.rows.iter_mut().find(|row| is_same(row)).unwrap();
        row.state = State::Undone;
        return;
    }
    history.rows.retain(|row| !is_same(row));
    let checksum = migration.checksum().to_string();
    let (key, name, kind) = (migration.key(), migration.name(), migration.kind());
    history
        .rows
        .push(HistoryRow::new(key, name, kind, checksum, state));
}

/// `V1`, `B5`, `R:views`.
pub(crate) fn short(migration: &Migration) -> String {
    let letter = &migration.kind().as_str()[..1].to_uppercase();
    match migration.version() {
        Some(version) => format!("{letter}{version}"),
        None => migration.key(),
    }
}

/// Returns the steps of a plan as one text.
pub(crate) fn steps(plan: &Plan) -> String {
    let steps: Vec<String> = plan
        .steps
        .iter()
        .map(|step| short(&step.migration))
        .collect();
    steps.join(" ")
}

/// Returns the plan for a set and a history as one text: its steps, or all messages of its error.
pub(crate) fn planned(files: &str, rows: &str, options: &PlanOptions) -> String {
    let set = set(files);
    match plan_up(&set, &history(&set, rows), options) {
        Ok(plan) => steps(&plan),
        Err(error) => messages(&error).join("; "),
    }
}

/// Returns all messages of an error.
pub(crate) fn messages(error: &Error) -> Vec<String> {
    let all = std::iter::once(error).chain(error.related());
    all.map(|error| error.message().to_owned()).collect()
}

/// Returns the entries of a comparison as one text.
pub(crate) fn compare_text(files: &str, rows: &str) -> String {
    let set = set(files);
    let entries: Vec<String> = compare(&set, &history(&set, rows))
        .iter()
        .map(format_entry)
        .collect();
    entries.join(", ")
}

fn format_entry(entry: &MigrationEntry) -> String {
    let letter = &entry.kind.as_str()[..1].to_uppercase();
    let name = match &entry.version {
        Some(version) => format!("{letter}{version}"),
        None => format!("R:{}", entry.name),
    };
    format!("{name} {}", entry.status.as_str())
}

/// Creates options with a change.
pub(crate) fn options(change: impl FnOnce(&mut PlanOptions)) -> PlanOptions {
    let mut options = PlanOptions::default();
    change(&mut options);
    options
}

/// Returns whether the version text of a row, in any spelling, belongs to a migration.
fn is(migration: &Migration, text: &str) -> bool {
    match migration.version() {
        Some(version) => text.parse().is_ok_and(|parsed: Version| parsed == *version),
        None => migration.key() == text,
    }
}
