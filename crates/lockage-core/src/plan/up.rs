use std::collections::HashSet;
use std::sync::Arc;

use super::divergence::divergence_error;
use super::steps::{Plan, PlanOptions};
use crate::status::{MigrationEntry, MigrationStatus, compare_up_to};
use crate::{
    Action, Error, ErrorKind, History, Kind, Location, Migration, MigrationSet, Result, Step,
    Version,
};

/// What is wrong with a versioned migration without a statement.
pub(crate) const EMPTY_SCRIPT: &str = "the script contains no statement";

/// Plans how to bring a database up to its files.
///
/// Repeatable migrations are last, and only if no versioned migration stays pending: they may need the newest schema.
///
/// # Errors
/// - [`ErrorKind::Diverged`] if files and history contradict each other. The first contradiction is the error; the others
///   are [`Error::related`].
/// - [`ErrorKind::InvalidConfig`] if no migration has the target version.
/// - [`ErrorKind::InvalidMigration`] for a versioned migration without a statement, if the options are strict.
pub fn plan_up(set: &MigrationSet, history: &History, options: &PlanOptions) -> Result<Plan> {
    let entries = compare_up_to(set, history, options.to.as_ref());
    check_target(&entries, options.to.as_ref())?;
    let errors = entries
        .iter()
        .filter_map(|entry| divergence_error(entry, options));
    if let Some(error) = Error::combine(errors) {
        return Err(error);
    }
    let pending: Vec<&MigrationEntry> = entries
        .iter()
        .filter(|entry| entry.status.is_pending())
        .collect();
    let selected = select(&pending, options);
    let empty = selected.iter().filter(|_| options.strict);
    let empty = empty.filter_map(|migration| empty_script_error(migration));
    if let Some(error) = Error::combine(empty) {
        return Err(error);
    }
    let selected_pointers: HashSet<_> = selected.iter().map(|m| Arc::as_ptr(m)).collect();
    let deferred = pending
        .iter()
        .filter_map(|entry| entry.migration.as_ref())
        .filter(|migration| !selected_pointers.contains(&Arc::as_ptr(migration)))
        .cloned()
        .collect();
    let ahead = entries
        .iter()
        .filter(|entry| entry.status == MigrationStatus::Future)
        .filter_map(|entry| entry.row.as_ref().map(|row| row.version.clone()))
        .collect();
    Ok(Plan {
        steps: selected
            .into_iter()
            .map(|migration| Step::new(Arc::clone(migration), Action::Apply))
            .collect(),
        deferred,
        ahead,
    })
}

/// Returns the error of `--strict` for a versioned migration without a statement.
fn empty_script_error(migration: &Migration) -> Option<Error> {
    (migration.kind() == Kind::Versioned && migration.is_empty()).then(|| {
        Error::new(ErrorKind::InvalidMigration, EMPTY_SCRIPT)
            .with_location(Location::file(migration.file()))
            .with_hint("write the script, delete the file, or remove --strict")
    })
}

fn check_target(entries: &[MigrationEntry], target: Option<&Version>) -> Result<()> {
    match target {
        Some(to)
            if !entries
                .iter()
                .any(|entry| entry.version.as_ref() == Some(to)) =>
        {
            Err(Error::new(
                ErrorKind::InvalidConfig,
                format!("no migration has the version {to}"),
            )
            .with_hint("run `lockage status` to list the versions"))
        }
        _ => Ok(()),
    }
}

/// Returns the pending migrations within the limits of the options.
fn select<'a>(pending: &[&'a MigrationEntry], options: &PlanOptions) -> Vec<&'a Arc<Migration>> {
    let (versioned, repeatable): (Vec<&MigrationEntry>, Vec<&MigrationEntry>) = pending
        .iter()
        .copied()
        .partition(|entry| entry.kind != Kind::Repeatable);
    let mut selected: Vec<&MigrationEntry> = versioned
        .iter()
        .filter(|entry| options.to.is_none() || entry.version <= options.to)
        .copied()
        .collect();
    if selected.len() == versioned.len() {
        selected.extend(repeatable);
    }
    selected.truncate(options.steps.unwrap_or(usize::MAX));
    selected
        .into_iter()
        .filter_map(|entry| entry.migration.as_ref())
        .collect()
}
