//! Compares the files with the history and returns the status of each migration. Plans and status tables are built from it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::{History, HistoryRow, Kind, Migration, MigrationSet, State, Version};

/// The status of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MigrationStatus {
    /// Applied, and the file is unchanged.
    Applied,
    /// Not applied yet.
    Pending,
    /// Not applied yet, and older than an applied migration.
    OutOfOrder,
    /// Started and not finished: running now, or left by a run that died. The next run resumes it.
    Running,
    /// A statement failed after earlier statements were committed. The next run resumes it.
    Failed,
    /// The undo script was started and is not finished.
    Undoing,
    /// Applied, and the file has changed since then.
    Diverged,
    /// In the history without a file, and older than the newest file.
    Missing,
    /// In the history in any state, without a file, and newer than every file: the database is ahead of the files.
    Future,
    /// Covered by a baseline.
    Ignored,
    /// In a state that only a newer version of Lockage knows.
    Unknown,
}

impl MigrationStatus {
    /// Returns the word in a status table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Pending => "pending",
            Self::OutOfOrder => "out of order",
            Self::Running => "running",
            Self::Failed => "failed",
            Self::Undoing => "undoing",
            Self::Diverged => "diverged",
            Self::Missing => "missing",
            Self::Future => "future",
            Self::Ignored => "ignored",
            Self::Unknown => "unknown",
        }
    }

    /// Returns whether a run would apply the migration.
    pub fn is_pending(self) -> bool {
        matches!(
            self,
            Self::Pending | Self::OutOfOrder | Self::Running | Self::Failed
        )
    }
}

/// One migration with its status: its file, its history row, or both.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MigrationEntry {
    /// The kind.
    pub kind: Kind,
    /// The version; `None` for a repeatable migration.
    pub version: Option<Version>,
    /// The name.
    pub name: String,
    /// The status.
    pub status: MigrationStatus,
    /// The file, if any.
    pub migration: Option<Arc<Migration>>,
    /// The row in the history, if any.
    pub row: Option<HistoryRow>,
}

impl MigrationEntry {
    /// Returns whether file and row agree in neither name nor checksum: another set of migrations probably wrote the row.
    pub fn is_of_another_set(&self) -> bool {
        let row = self.row.as_ref();
        self.status == MigrationStatus::Diverged && row.is_some_and(|row| row.name != self.name)
    }

    /// Returns the migration of the file, or one without a script for a row without a file.
    pub(crate) fn migration_or_row(&self) -> Arc<Migration> {
        if let Some(migration) = &self.migration {
            return Arc::clone(migration);
        }
        let row_key = self.row.as_ref().map(|row| row.version.clone());
        Arc::new(Migration::without_script(
            self.kind,
            self.version.clone(),
            &self.name,
            row_key,
        ))
    }
}

/// Compares a set with a history. The entries are sorted: baselines and versioned migrations by version, then repeatable
/// migrations by name.
pub fn compare(set: &MigrationSet, history: &History) -> Vec<MigrationEntry> {
    compare_up_to(set, history, None)
}

/// Compares a set with a history for a run that stops at the version `to`: a new database then starts at no later baseline.
pub(crate) fn compare_up_to(
    set: &MigrationSet,
    history: &History,
    to: Option<&Version>,
) -> Vec<MigrationEntry> {
    // A version can have two rows in different spellings. An applied row replaces the others, and an undone row is replaced.
    let mut by_precedence: Vec<&HistoryRow> = history.rows.iter().collect();
    by_precedence.sort_by_key(|row| (row.state == State::Applied, is_effective(row)));
    let rows: HashMap<RowKey, &HistoryRow> = by_precedence
        .into_iter()
        .map(|row| (RowKey::from_row(row), row))
        .collect();
    let context = BaselineContext::new(set, history, to);

    let mut known = HashSet::new();
    let mut entries = Vec::new();
    for migration in set
        .iter()
        .filter(|migration| migration.kind() != Kind::Undo)
    {
        let key = RowKey::from_migration(migration);
        let row = rows.get(&key).copied();
        if migration.kind() == Kind::Baseline
            && !context.starts_at(migration)
            && !row.is_some_and(|row| is_baseline(row) && is_effective(row))
        {
            continue;
        }
        let status = context.status_of_file(migration, row);
        // The row of a baseline is not the row of the versioned migration with the same version.
        let row = row.filter(|row| migration.kind() != Kind::Versioned || !is_baseline(row));
        if row.is_some() {
            known.insert(key);
        }
        entries.push(MigrationEntry {
            kind: migration.kind(),
            version: migration.version().cloned(),
            name: migration.name().to_owned(),
            status,
            migration: Some(Arc::clone(migration)),
            row: row.cloned(),
        });
    }
    for (_, row) in rows
        .into_iter()
        .filter(|(key, row)| !known.contains(key) && is_effective(row))
    {
        entries.push(MigrationEntry {
            kind: row.kind,
            version: row.parsed_version(),
            name: row.name.clone(),
            status: context.status_of_orphan_row(row),
            migration: None,
            row: Some(row.clone()),
        });
    }
    sort(&mut entries);
    entries
}

/// Sorts versioned entries by version, then repeatable ones by name.
fn sort(entries: &mut [MigrationEntry]) {
    entries.sort_by(|a, b| {
        (a.version.is_none(), &a.version, a.kind, &a.name).cmp(&(
            b.version.is_none(),
            &b.version,
            b.kind,
            &b.name,
        ))
    });
}

fn is_effective(row: &HistoryRow) -> bool {
    row.state != State::Undone
}

fn is_baseline(row: &HistoryRow) -> bool {
    row.kind == Kind::Baseline
}

/// The key by which a file and a row are the same migration. A baseline and a versioned migration with the same version
/// share a row.
#[derive(PartialEq, Eq, Hash)]
enum RowKey {
    Version(Version),
    Text(String),
}

impl RowKey {
    fn from_migration(migration: &Migration) -> Self {
        match migration.version() {
            Some(version) => Self::Version(version.clone()),
            None => Self::Text(migration.key()),
        }
    }

    fn from_row(row: &HistoryRow) -> Self {
        row.parsed_version()
            .map_or_else(|| Self::Text(row.version.clone()), Self::Version)
    }
}

/// The context of one comparison: the newest versions and the baselines.
struct BaselineContext<'a> {
    newest_row: Option<Version>,
    newest_file: Option<&'a Version>,
    /// The baseline script at which a new database starts.
    initial_baseline: Option<&'a Version>,
    /// The newest baseline in the history, running or applied.
    applied_baseline: Option<Version>,
    /// The newest baseline script whose version was reached by applying the older migrations one by one. Their files can be
    /// deleted.
    superseded_baseline: Option<&'a Version>,
}

impl<'a> BaselineContext<'a> {
    fn new(set: &'a MigrationSet, history: &History, to: Option<&Version>) -> Self {
        let effective = || history.rows.iter().filter(|row| is_effective(row));
        let versions = |kind| {
            set.iter_kind(kind)
                .filter_map(|migration| migration.version())
        };
        let fresh = effective().all(|row| row.kind == Kind::Repeatable);
        Self {
            newest_row: effective().filter_map(HistoryRow::parsed_version).max(),
            newest_file: versions(Kind::Versioned)
                .chain(versions(Kind::Baseline))
                .max(),
            initial_baseline: versions(Kind::Baseline)
                .filter(|version| fresh && to.is_none_or(|to| *version <= to))
                .max(),
            applied_baseline: effective()
                .filter(|row| is_baseline(row))
                .filter_map(HistoryRow::parsed_version)
                .max(),
            superseded_baseline: versions(Kind::Baseline)
                .filter(|version| {
                    let has_versioned_file = set.find(Kind::Versioned, version).is_some();
                    history.rows.iter().any(|row| {
                        row.parsed_version().as_ref() == Some(version)
                            && (row.state == State::Applied || has_versioned_file)
                    })
                })
                .max(),
        }
    }

    fn starts_at(&self, migration: &Migration) -> bool {
        migration.kind() == Kind::Baseline && self.initial_baseline == migration.version()
    }

    fn covers(&self, kind: Kind, version: Option<&Version>) -> bool {
        kind == Kind::Versioned
            && version.is_some()
            && (version <= self.initial_baseline || version <= self.applied_baseline.as_ref())
    }

    fn status_of_file(&self, migration: &Migration, row: Option<&HistoryRow>) -> MigrationStatus {
        let (kind, version) = (migration.kind(), migration.version());
        let Some(row) = row.filter(|row| is_effective(row)) else {
            return match version {
                _ if self.covers(kind, version) => MigrationStatus::Ignored,
                Some(version) if Some(version) < self.newest_row.as_ref() => {
                    MigrationStatus::OutOfOrder
                }
                _ => MigrationStatus::Pending,
            };
        };
        match &row.state {
            State::Other(_) => MigrationStatus::Unknown,
            // A baseline that was marked as applied covers the versioned file with the same version.
            _ if is_baseline(row) && kind == Kind::Versioned => MigrationStatus::Ignored,
            State::Undoing => MigrationStatus::Undoing,
            State::Running => MigrationStatus::Running,
            State::Failed => MigrationStatus::Failed,
            State::Applied if row.checksum == migration.checksum().to_string() => {
                MigrationStatus::Applied
            }
            State::Applied if kind == Kind::Repeatable => MigrationStatus::Pending,
            State::Applied => MigrationStatus::Diverged,
            State::Undone => MigrationStatus::Pending,
        }
    }

    fn status_of_orphan_row(&self, row: &HistoryRow) -> MigrationStatus {
        let version = row.parsed_version();
        let version = version.as_ref();
        match &row.state {
            // A newer program applies it, or has applied it. This program must not touch it.
            _ if version.is_some() && version > self.newest_file => MigrationStatus::Future,
            State::Other(_) => MigrationStatus::Unknown,
            // `lockage baseline` writes rows without a file.
            State::Applied if is_baseline(row) => MigrationStatus::Applied,
            _ if self.covers(row.kind, version) => MigrationStatus::Ignored,
            State::Applied if version.is_some() && version <= self.superseded_baseline => {
                MigrationStatus::Ignored
            }
            _ => MigrationStatus::Missing,
        }
    }
}
