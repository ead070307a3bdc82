//! Decides what a run does. Pure: files and history in, steps or an error out.

use std::collections::HashSet;
use std::sync::Arc;

use crate::status::{MigrationEntry, MigrationStatus, compare_up_to};
use crate::{
    Action, Error, ErrorKind, History, Kind, Location, Migration, MigrationSet, Result, State,
    Step, Version,
};

/// How far a run goes and what it puts up with.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PlanOptions {
    /// Goes no further than to this version.
    pub to: Option<Version>,
    /// Does no more than so many steps.
    pub steps: Option<usize>,
    /// Applies migrations that are older than an applied one.
    pub out_of_order: bool,
    /// Refuses a database that is ahead of the files.
    pub strict: bool,
}

/// What a run is to do.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Plan {
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// What stays pending because the options go no further.
    pub beyond: Vec<Arc<Migration>>,
    /// Versions in the history that are newer than every file.
    pub future: Vec<String>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// Decides what brings a database up to its files.
///
/// Repeatable migrations come last, and only when no versioned one stays pending: they may need the newest schema.
///
/// # Errors
/// [`ErrorKind::Diverged`] where files and history contradict each other: all contradictions at once, the first is the error and the
/// others are [`Error::related`]. [`ErrorKind::InvalidConfig`] for a target that no file has.
pub fn plan(set: &MigrationSet, history: &History, options: &PlanOptions) -> Result<Plan> {
    let entries = compare_up_to(set, history, options.to.as_ref());
    if let Some(to) = &options.to
        && !entries
            .iter()
            .any(|entry| entry.version.as_ref() == Some(to))
    {
        return Err(Error::new(
            ErrorKind::InvalidConfig,
            format!("there is no migration of version {to}"),
        )
        .with_hint("`lockage status` lists the versions"));
    }
    if let Some(error) = Error::combine(
        entries
            .iter()
            .filter_map(|entry| contradiction(entry, options)),
    ) {
        return Err(error);
    }
    let pending: Vec<&MigrationEntry> = entries
        .iter()
        .filter(|entry| entry.standing.is_pending())
        .collect();
    let (versioned, repeatable): (Vec<&MigrationEntry>, Vec<&MigrationEntry>) = pending
        .iter()
        .copied()
        .partition(|entry| entry.kind != Kind::Repeatable);
    let wanted = |entry: &&&MigrationEntry| options.to.is_none() || entry.version <= options.to;
    let mut chosen: Vec<&MigrationEntry> = versioned.iter().filter(wanted).copied().collect();
    if chosen.len() == versioned.len() {
        chosen.extend(repeatable);
    }
    chosen.truncate(options.steps.unwrap_or(usize::MAX));
    let chosen: Vec<&Arc<Migration>> = chosen
        .into_iter()
        .filter_map(|entry| entry.migration.as_ref())
        .collect();
    let held: HashSet<_> = chosen
        .iter()
        .map(|migration| Arc::as_ptr(migration))
        .collect();
    Ok(Plan {
        steps: chosen
            .iter()
            .map(|migration| Step::new(Arc::clone(migration), Action::Apply))
            .collect(),
        beyond: pending
            .iter()
            .filter_map(|entry| entry.migration.as_ref())
            .filter(|migration| !held.contains(&Arc::as_ptr(migration)))
            .cloned()
            .collect(),
        future: entries
            .iter()
            .filter(|entry| entry.standing == MigrationStatus::Future)
            .filter_map(|entry| entry.row.as_ref().map(|row| row.version.clone()))
            .collect(),
    })
}

/// Decides what takes a database back: to a version, which stays applied, or by so many migrations. Newest first.
///
/// # Errors
/// [`ErrorKind::Diverged`] as for [`plan`]; [`ErrorKind::InvalidMigration`] when an undo script is missing, before anything is
/// undone.
pub fn plan_down(set: &MigrationSet, history: &History, options: &PlanOptions) -> Result<Plan> {
    let entries = compare_up_to(set, history, None);
    let applied = |entry: &&MigrationEntry| {
        entry.kind == Kind::Versioned
            && matches!(
                entry.standing,
                MigrationStatus::Applied | MigrationStatus::Undoing
            )
    };
    let above = |entry: &&MigrationEntry| options.to.is_none() || entry.version > options.to;
    let count = options
        .steps
        .unwrap_or(if options.to.is_some() { usize::MAX } else { 1 });
    let mut chosen: Vec<&MigrationEntry> =
        entries.iter().rev().filter(applied).filter(above).collect();
    // What stands between here and the end of the way: the target, where the steps reach it.
    let end = match &options.to {
        Some(to) if chosen.len() <= count => Some(to),
        _ => chosen
            .iter()
            .take(count)
            .next_back()
            .and_then(|entry| entry.version.as_ref()),
    };
    chosen.truncate(count);
    let in_the_way = entries.iter().filter(|entry| {
        let stuck = matches!(
            entry.standing,
            MigrationStatus::Diverged
                | MigrationStatus::Missing
                | MigrationStatus::Future
                | MigrationStatus::Failed
                | MigrationStatus::Running
                | MigrationStatus::Unknown
        );
        stuck && end.is_some() && entry.version.as_ref() > end
    });
    if let Some(error) = Error::combine(in_the_way.filter_map(why_not_down)) {
        return Err(error);
    }
    let undo = |entry: &MigrationEntry| {
        let version = entry.version.as_ref()?;
        set.find(Kind::Undo, version)
            .map(|script| Step::new(Arc::clone(script), Action::Undo))
    };
    let without = chosen.iter().filter(|entry| undo(entry).is_none());
    if let Some(error) = Error::combine(without.map(|entry| {
        let version = text_of(entry);
        Error::new(
            ErrorKind::InvalidMigration,
            format!("version {version} has no undo script; nothing was undone"),
        )
        .with_hint(format!(
            "write U{version}__{}.sql",
            entry.name.replace(' ', "_")
        ))
    })) {
        return Err(error);
    }
    Ok(Plan {
        steps: chosen.into_iter().filter_map(undo).collect(),
        ..Plan::default()
    })
}

/// Why nothing below this entry can be undone.
fn why_not_down(entry: &MigrationEntry) -> Option<Error> {
    let version = text_of(entry);
    let error =
        |message: String, hint| Some(Error::new(ErrorKind::Diverged, message).with_hint(hint));
    match entry.standing {
        MigrationStatus::Running | MigrationStatus::Failed => error(
            format!("version {version} is not finished"),
            "`lockage up` finishes it; only then can older versions be undone",
        ),
        MigrationStatus::Future => error(
            format!("version {version} is newer than every file: the database is ahead"),
            "take it back first, with the files that it came from",
        ),
        _ => contradiction(entry, &PlanOptions::default()),
    }
}

/// The version, be it one that only a newer Lockage can read.
fn text_of(entry: &MigrationEntry) -> String {
    match (&entry.version, &entry.row) {
        (Some(version), _) => version.to_string(),
        (None, Some(row)) => row.version.clone(),
        (None, None) => String::new(),
    }
}

/// What is wrong with an entry, if anything is.
fn contradiction(entry: &MigrationEntry, options: &PlanOptions) -> Option<Error> {
    let what = match entry.kind {
        Kind::Repeatable => format!("the repeatable migration `{}`", entry.name),
        _ => format!("version {} ({})", text_of(entry), entry.name),
    };
    let error = match entry.standing {
        MigrationStatus::Diverged => {
            let (migration, row) = (entry.migration.as_ref()?, entry.row.as_ref()?);
            Error::new(ErrorKind::Diverged, format!("{what} changed after it was applied"))
                .with_context("checksum_applied", &row.checksum)
                .with_context("checksum_file", migration.checksum().to_string())
                .with_location(Location::file(migration.file()))
                .with_hint("restore the file and put the change into a new migration, or accept it with `lockage repair`")
        }
        MigrationStatus::Missing if entry.kind != Kind::Repeatable => Error::new(
            ErrorKind::Diverged,
            match entry.row.as_ref().map(|row| &row.state) {
                Some(State::Applied) => format!("{what} is applied and has no file"),
                _ => format!("{what} is not finished and has no file"),
            },
        )
        .with_hint("restore the file, or forget the row with `lockage repair`"),
        MigrationStatus::Undoing => {
            Error::new(ErrorKind::Diverged, format!("{what} is undone half way"))
                .with_hint("`lockage down` finishes it")
        }
        MigrationStatus::OutOfOrder if !options.out_of_order => Error::new(
            ErrorKind::Diverged,
            format!("{what} is older than a version that is already applied"),
        )
        .with_location(Location::file(entry.migration.as_ref()?.file()))
        .with_hint("give it a newer version, or apply it all the same with --out-of-order"),
        MigrationStatus::Future if options.strict => Error::new(
            ErrorKind::Diverged,
            format!("{what} is newer than every file: the database is ahead"),
        )
        .with_hint("deploy the newer files, or leave --strict out"),
        MigrationStatus::Unknown => {
            let state = entry.row.as_ref().map_or("", |row| row.state.as_str());
            Error::new(
                ErrorKind::Unsupported,
                format!("{what} is in the state `{state}`, which a newer Lockage wrote"),
            )
            .with_hint("use that newer Lockage")
        }
        _ => return None,
    };
    Some(error)
}
