use std::str::FromStr;

use lockage_core::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

/// The one thing that the backend does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fault {
    /// Grants every lock to every session.
    GrantsEveryLock,
    /// `try_lock` waits until the lock is free.
    BlocksInServer,
    /// Checks whether the lock is free and acquires it later.
    ChecksThenActs,
    /// Two acquires need two unlocks.
    ReentrantLock,
    /// `unlock` succeeds without the lock.
    UnlockReportsSuccess,
    /// `holds` is true if any session holds the lock.
    HoldsReportsAnyHolder,
    /// `holds` does not query the lock.
    CachesHolds,
    /// `holds` releases the lock.
    HoldsReleasesLock,
    /// A dropped session keeps its lock.
    DropLeaksLock,
    /// A closed session keeps its lock.
    CloseLeaksLock,
    /// A session whose migration failed keeps its lock, even after `unlock`.
    ErrorLeaksLock,
    /// A `try_lock` that is dropped midway keeps the lock.
    LeaksDroppedTry,
    /// `close` fails.
    CloseFails,
    /// All keys are the same lock.
    IgnoresKey,
    /// Ids lose their upper half.
    TruncatesIds,
    /// A name and an id with the same text are the same lock.
    ConfusesNamesAndIds,
    /// Names that differ in case are the same lock.
    FoldsNameCase,
    /// Names are truncated to 64 characters.
    TruncatesNames,
    /// `holder` is always `None`.
    ReportsNoHolder,
    /// `holder` reports a holder of a free lock.
    ReportsStaleHolder,
    /// Writes without a check of the lock.
    WritesWithoutLock,
    /// Never checks the lock after the acquire, not even in `unlock`.
    DoesNotRecheckLock,
    /// Writes in a terminated session.
    WritesAfterTermination,
    /// Commits each statement separately.
    CommitsEachStatement,
    /// Continues a migration whose future was dropped.
    ContinuesWhenDropped,
    /// A cancel request does nothing.
    IgnoresCancel,
    /// Reading the history creates it.
    ReadCreatesHistory,
    /// Reading the history needs the lock.
    ReadNeedsLock,
    /// Reads the history only once.
    CachesHistory,
    /// `ensure_history` deletes all rows.
    EnsureHistoryTruncates,
    /// Records a wrong checksum.
    RecordsWrongChecksum,
    /// Records no statement counts.
    RecordsNoStatementCounts,
    /// Marking a migration as applied runs its script.
    MarkAppliedRunsScript,
    /// Deleting a history row does nothing.
    DeleteRowDoesNothing,
    /// Applies a repeatable migration only once.
    IgnoresChangedRepeatable,
    /// Runs a script twice.
    RunsScriptTwice,
    /// Records a script without running it.
    RecordsWithoutRunning,
    /// Runs a script without recording it.
    RunsWithoutRecording,
    /// Applies a step whose migration is applied already.
    ReappliesAppliedMigration,
    /// Rejects a failed migration with a new checksum.
    RejectsCorrectedMigration,
    /// Does not record a script without statements.
    SkipsEmptyScripts,
    /// Runs the undo script, but keeps the state `applied`.
    UndoKeepsAppliedState,
    /// Records the undo without running the script.
    UndoSkipsScript,
    /// Ignores the statement timeout.
    IgnoresStatementTimeout,
    /// Waits without a limit for a locked table.
    IgnoresDdlLockTimeout,
    /// Fails instead of retrying when a table is locked.
    DoesNotRetryLockTimeout,
    /// A temporary table stays until the session ends.
    KeepsTemporaryTables,
    /// A changed setting stays until the session ends.
    KeepsSettings,
    /// Resumes a migration at its first statement.
    RestartsMigration,
    /// The lock excludes only sessions of the same process.
    ProcessLocalLock,
    /// The lock stays after its process has exited.
    LockSurvivesProcess,
}

/// Parses the name of a fault.
impl FromStr for Fault {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        serde_json::from_value(name.into())
            .map_err(|error| Error::new(ErrorKind::InvalidConfig, error.to_string()))
    }
}
