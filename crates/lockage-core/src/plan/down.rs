use std::sync::Arc;

use super::divergence::{divergence_error, label};
use super::steps::{Plan, PlanOptions};
use crate::status::{MigrationEntry, MigrationStatus, compare_up_to};
use crate::{Action, Error, ErrorKind, History, Kind, MigrationSet, Result, Step, Version};

/// Plans how to undo applied migrations, newest first: down to the version [`PlanOptions::to`], which stays applied, or by
/// [`PlanOptions::steps`] migrations. Without either, the plan undoes one migration.
///
/// # Errors
/// - [`ErrorKind::Diverged`] as for [`plan_up`](super::plan_up), for the versions down to the last one that is undone.
/// - [`ErrorKind::InvalidMigration`] if an undo script is missing. Nothing is undone then.
pub fn plan_down(set: &MigrationSet, history: &History, options: &PlanOptions) -> Result<Plan> {
    let entries = compare_up_to(set, history, None);
    let mut selected: Vec<&MigrationEntry> = entries
        .iter()
        .rev()
        .filter(|entry| is_undoable(entry))
        .filter(|entry| options.to.is_none() || entry.version > options.to)
        .collect();
    let count = options
        .steps
        .unwrap_or(if options.to.is_some() { usize::MAX } else { 1 });
    let lowest = lowest_version(&selected, count, options.to.as_ref());
    selected.truncate(count);
    let blockers = entries
        .iter()
        .filter(|entry| lowest.is_some() && entry.version.as_ref() > lowest)
        .filter_map(undo_blocker);
    if let Some(error) = Error::combine(blockers) {
        return Err(error);
    }
    let undo_step = |entry: &MigrationEntry| {
        let script = set.find(Kind::Undo, entry.version.as_ref()?)?;
        Some(Step::new(Arc::clone(script), Action::Undo))
    };
    let missing = selected
        .iter()
        .filter(|entry| undo_step(entry).is_none())
        .map(|entry| missing_undo_script(entry));
    if let Some(error) = Error::combine(missing) {
        return Err(error);
    }
    Ok(Plan::from_steps(
        selected.into_iter().filter_map(undo_step).collect(),
    ))
}

fn is_undoable(entry: &MigrationEntry) -> bool {
    entry.kind == Kind::Versioned
        && matches!(
            entry.status,
            MigrationStatus::Applied | MigrationStatus::Undoing
        )
}

/// Returns the version above which nothing may block the undo: the target if the steps reach it, otherwise the last version
/// that is undone.
fn lowest_version<'a>(
    undoable: &[&'a MigrationEntry],
    count: usize,
    target: Option<&'a Version>,
) -> Option<&'a Version> {
    match target {
        Some(to) if undoable.len() <= count => Some(to),
        _ => undoable
            .iter()
            .take(count)
            .next_back()
            .and_then(|entry| entry.version.as_ref()),
    }
}

/// Returns the error that blocks the undo of older versions, if the entry does.
fn undo_blocker(entry: &MigrationEntry) -> Option<Error> {
    let version = label(entry);
    let error =
        |message: String, hint| Some(Error::new(ErrorKind::Diverged, message).with_hint(hint));
    match entry.status {
        MigrationStatus::Running | MigrationStatus::Failed => error(
            format!("version {version} is not finished"),
            "finish it with `lockage up`; older versions can be undone only then",
        ),
        MigrationStatus::Future => error(
            format!("version {version} is newer than every file: the database is ahead"),
            "undo it first, with the files of the program that applied it",
        ),
        MigrationStatus::Diverged | MigrationStatus::Missing | MigrationStatus::Unknown => {
            divergence_error(entry, &PlanOptions::default())
        }
        _ => None,
    }
}

fn missing_undo_script(entry: &MigrationEntry) -> Error {
    let version = label(entry);
    Error::new(
        ErrorKind::InvalidMigration,
        format!("version {version} has no undo script; nothing was undone"),
    )
    .with_hint(format!(
        "write U{version}__{}.sql",
        entry.name.replace(' ', "_")
    ))
}
