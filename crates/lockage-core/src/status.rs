//! Lays the files beside the history and says, for each migration, where it stands. Pure; plans and status tables are made from it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::{History, HistoryRow, Kind, Migration, MigrationSet, State, Version};

/// Where a migration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MigrationStatus {
    /// Applied, and the file is still the one that was applied.
    Applied,
    /// To be applied.
    Pending,
    /// To be applied, and older than one that is applied.
    OutOfOrder,
    /// Begun and not finished: in hand now, or left by a run that died. To be resumed.
    Running,
    /// A statement failed, with those before it committed. To be resumed.
    Failed,
    /// Its undo script was begun and is not finished.
    Undoing,
    /// Applied, and the file has changed since.
    Diverged,
    /// In the history, with no file, and older than the newest file.
    Missing,
    /// In the history, in whatever state, with no file, and newer than every file: the database is ahead.
    Future,
    /// Covered by a baseline.
    Ignored,
    /// The history says something that only a newer Lockage understands.
    Unknown,
}

impl MigrationStatus {
    /// The word in a status table.
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

    /// Whether a run would apply it.
    pub fn is_pending(self) -> bool {
        matches!(
            self,
            Self::Pending | Self::OutOfOrder | Self::Running | Self::Failed
        )
    }
}

/// One migration: its file, its row, or both.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MigrationEntry {
    /// Its kind.
    pub kind: Kind,
    /// Its version; `None` for a repeatable one.
    pub version: Option<Version>,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub standing: MigrationStatus,
    /// Its file.
    pub migration: Option<Arc<Migration>>,
    /// Its row in the history.
    pub row: Option<HistoryRow>,
}

/// Lays a set beside a history: baselines and versioned migrations by version, then repeatable ones by name.
pub fn compare(set: &MigrationSet, history: &History) -> Vec<MigrationEntry> {
    compare_up_to(set, history, None)
}

/// The same, where a fresh database is to go no further than to a version: no later baseline is its start.
pub(crate) fn compare_up_to(
    set: &MigrationSet,
    history: &History,
    to: Option<&Version>,
) -> Vec<MigrationEntry> {
    // Where one version stands there in two spellings, the row that counts is the applied one, and an undone one counts last.
    let mut by_weight: Vec<&HistoryRow> = history.rows.iter().collect();
    by_weight.sort_by_key(|row| (row.state == State::Applied, is_live(row)));
    let rows: HashMap<RowKey, &HistoryRow> = by_weight
        .into_iter()
        .map(|row| (RowKey::of_row(row), row))
        .collect();
    let ground = Ground::new(set, history, to);

    let mut known = HashSet::new();
    let mut entries = Vec::new();
    for migration in set
        .iter()
        .filter(|migration| migration.kind() != Kind::Undo)
    {
        let key = RowKey::of(migration);
        let row = rows.get(&key).copied();
        if migration.kind() == Kind::Baseline
            && !ground.starts_with(migration)
            && !row.is_some_and(|row| is_baseline(row) && is_live(row))
        {
            continue;
        }
        let standing = ground.of_file(migration, row);
        // A baseline's row is the baseline's, also where only the versioned file of its version is there.
        let row = row.filter(|row| migration.kind() != Kind::Versioned || !is_baseline(row));
        if row.is_some() {
            known.insert(key);
        }
        entries.push(MigrationEntry {
            kind: migration.kind(),
            version: migration.version().cloned(),
            name: migration.name().to_owned(),
            standing,
            migration: Some(Arc::clone(migration)),
            row: row.cloned(),
        });
    }
    for (_, row) in rows
        .into_iter()
        .filter(|(key, row)| !known.contains(key) && is_live(row))
    {
        entries.push(MigrationEntry {
            kind: row.kind,
            version: row.parsed_version(),
            name: row.name.clone(),
            standing: ground.of_orphan(row),
            migration: None,
            row: Some(row.clone()),
        });
    }
    entries.sort_by(|a, b| {
        (a.version.is_none(), &a.version, a.kind, &a.name).cmp(&(
            b.version.is_none(),
            &b.version,
            b.kind,
            &b.name,
        ))
    });
    entries
}

fn is_live(row: &HistoryRow) -> bool {
    row.state != State::Undone
}

fn is_baseline(row: &HistoryRow) -> bool {
    row.kind == Kind::Baseline
}

/// What makes a file and a row the same migration; a baseline and a versioned migration share the version's row.
#[derive(PartialEq, Eq, Hash)]
enum RowKey {
    Version(Version),
    Text(String),
}

impl RowKey {
    fn of(migration: &Migration) -> Self {
        match migration.version() {
            Some(version) => Self::Version(version.clone()),
            None => Self::Text(migration.key()),
        }
    }

    fn of_row(row: &HistoryRow) -> Self {
        row.parsed_version()
            .map_or_else(|| Self::Text(row.version.clone()), Self::Version)
    }
}

/// What all judgements share: how far the history and the files go, and where the ground floor is.
struct Ground<'a> {
    newest_row: Option<Version>,
    newest_file: Option<&'a Version>,
    /// The baseline script that a fresh database is to start with.
    start: Option<&'a Version>,
    /// The newest baseline that the history holds, in hand or applied.
    floor: Option<Version>,
    /// The newest baseline script whose version the history reached on foot: the files up to there may be gone.
    passed: Option<&'a Version>,
}

impl<'a> Ground<'a> {
    fn new(set: &'a MigrationSet, history: &History, to: Option<&Version>) -> Self {
        let live = || history.rows.iter().filter(|row| is_live(row));
        let versions = |kind| {
            set.iter_kind(kind)
                .filter_map(|migration| migration.version())
        };
        let fresh = live().all(|row| row.kind == Kind::Repeatable);
        Self {
            newest_row: live().filter_map(HistoryRow::parsed_version).max(),
            newest_file: versions(Kind::Versioned)
                .chain(versions(Kind::Baseline))
                .max(),
            start: versions(Kind::Baseline)
                .filter(|version| fresh && to.is_none_or(|to| *version <= to))
                .max(),
            floor: live()
                .filter(|row| is_baseline(row))
                .filter_map(HistoryRow::parsed_version)
                .max(),
            passed: versions(Kind::Baseline)
                .filter(|version| {
                    let ahead = set.find(Kind::Versioned, version).is_some();
                    history.rows.iter().any(|row| {
                        row.parsed_version().as_ref() == Some(version)
                            && (row.state == State::Applied || ahead)
                    })
                })
                .max(),
        }
    }

    fn starts_with(&self, migration: &Migration) -> bool {
        migration.kind() == Kind::Baseline && self.start == migration.version()
    }

    fn covers(&self, kind: Kind, version: Option<&Version>) -> bool {
        kind == Kind::Versioned
            && version.is_some()
            && (version <= self.start || version <= self.floor.as_ref())
    }

    fn of_file(&self, migration: &Migration, row: Option<&HistoryRow>) -> MigrationStatus {
        let (kind, version) = (migration.kind(), migration.version());
        let Some(row) = row.filter(|row| is_live(row)) else {
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
            // A marked baseline covers the versioned file of its own version.
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

    fn of_orphan(&self, row: &HistoryRow) -> MigrationStatus {
        let version = row.parsed_version();
        let version = version.as_ref();
        match &row.state {
            // A newer program is at it, or has been: none of this one's business.
            _ if version.is_some() && version > self.newest_file => MigrationStatus::Future,
            State::Other(_) => MigrationStatus::Unknown,
            // `lockage baseline` writes rows that have no file.
            State::Applied if is_baseline(row) => MigrationStatus::Applied,
            _ if self.covers(row.kind, version) => MigrationStatus::Ignored,
            State::Applied if version.is_some() && version <= self.passed => {
                MigrationStatus::Ignored
            }
            _ => MigrationStatus::Missing,
        }
    }
}
