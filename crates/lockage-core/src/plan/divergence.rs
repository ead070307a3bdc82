use super::steps::PlanOptions;
use crate::status::{MigrationEntry, MigrationStatus};
use crate::{Error, ErrorKind, Kind, Location, State};

/// Returns the version as text. A version that only a newer Lockage can parse is the text of its row.
pub(super) fn label(entry: &MigrationEntry) -> String {
    match (&entry.version, &entry.row) {
        (Some(version), _) => version.to_string(),
        (None, Some(row)) => row.version.clone(),
        (None, None) => String::new(),
    }
}

/// Returns the contradiction between the file and the row of an entry, if any.
pub(super) fn divergence_error(entry: &MigrationEntry, options: &PlanOptions) -> Option<Error> {
    let what = match entry.kind {
        Kind::Repeatable => format!("the repeatable migration `{}`", entry.name),
        _ => format!("version {} ({})", label(entry), entry.name),
    };
    let diverged = |message: String| Error::new(ErrorKind::Diverged, message);
    let error = match entry.status {
        MigrationStatus::Diverged if entry.is_of_another_set() => two_sets_error(entry)?,
        MigrationStatus::Diverged => {
            let (migration, row) = (entry.migration.as_ref()?, entry.row.as_ref()?);
            diverged(format!("{what} changed after it was applied"))
                .with_context("checksum_applied", &row.checksum)
                .with_context("checksum_file", migration.checksum().to_string())
                .with_location(Location::file(migration.file()))
                .with_hint(
                    "restore the file and put the change into a new migration, or accept it with `lockage repair`",
                )
        }
        MigrationStatus::Missing if entry.kind != Kind::Repeatable => {
            diverged(match entry.row.as_ref().map(|row| &row.state) {
                Some(State::Applied) => format!("{what} is applied and has no file"),
                _ => format!("{what} is not finished and has no file"),
            })
            .with_hint("restore the file, or delete the history row with `lockage repair`")
        }
        MigrationStatus::Undoing => {
            diverged(format!("{what} is partly undone")).with_hint("finish it with `lockage down`")
        }
        MigrationStatus::OutOfOrder if !options.out_of_order => diverged(format!(
            "{what} is older than a version that is already applied"
        ))
        .with_location(Location::file(entry.migration.as_ref()?.file()))
        .with_hint("give it a newer version, or apply it with --out-of-order"),
        MigrationStatus::Future if options.strict => diverged(format!(
            "{what} is newer than every file: the database is ahead"
        ))
        .with_hint("deploy the newer files, or remove --strict"),
        MigrationStatus::Unknown => {
            let state = entry.row.as_ref().map_or("", |row| row.state.as_str());
            Error::new(
                ErrorKind::Unsupported,
                format!("{what} is in the state `{state}`, which a newer version of Lockage wrote"),
            )
            .with_hint("use that version of Lockage")
        }
        _ => return None,
    };
    Some(error)
}

/// Returns the error of a row that another set of migrations wrote.
fn two_sets_error(entry: &MigrationEntry) -> Option<Error> {
    let (migration, row) = (entry.migration.as_ref()?, entry.row.as_ref()?);
    let message = format!(
        "version {} in the history is `{}` and in the files `{}`: two sets of migrations share one history",
        label(entry),
        row.name,
        entry.name
    );
    let error = Error::new(ErrorKind::Diverged, message)
        .with_context("checksum_applied", &row.checksum)
        .with_context("checksum_file", migration.checksum().to_string())
        .with_location(Location::file(migration.file()))
        .with_hint(
            "give each set a history of its own: another schema, or another ConnectOptions::history_table; if the file was \
             renamed and changed, restore it",
        );
    Some(error)
}
