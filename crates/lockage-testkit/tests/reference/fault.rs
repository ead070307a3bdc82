use std::str::FromStr;

use lockage_core::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

/// One thing that a backend does wrong, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Flaw {
    /// Grants every lock to everybody.
    NeverLocks,
    /// A try waits until the lock is free.
    QueuesForEver,
    /// Looks whether the lock is free, and takes it a moment later.
    LooksThenTakes,
    /// Two acquires need two unlocks.
    Stacks,
    /// An unlock of what is not held is fine.
    LiesOnUnlock,
    /// `holds` says whether anybody holds it.
    HoldsMeansAnybody,
    /// `holds` believes its memory.
    HoldsFromMemory,
    /// The lock is gone as soon as somebody asks whether it is held.
    ForgetsTheLock,
    /// A dropped session keeps its lock.
    LeaksOnDrop,
    /// A closed session keeps its lock.
    LeaksOnClose,
    /// A session whose migration failed keeps its lock, even when it gives it back.
    LeaksOnError,
    /// A try that is dropped half way keeps the lock.
    LeaksATry,
    /// Closing fails.
    CloseFails,
    /// All keys are one lock.
    OneLockForAll,
    /// Ids lose their upper half.
    ShortIds,
    /// Names and ids that read alike are one lock.
    NamesAreText,
    /// Names that differ in case are one lock.
    FoldsCase,
    /// Names are cut at 64 characters.
    CutsNames,
    /// The holder is never told.
    TellsNobody,
    /// A holder is told of a lock that nobody holds.
    TellsAGhost,
    /// Writes without asking for the lock.
    WritesUnlocked,
    /// Once it has taken the lock it never asks for it again, not even when it gives it back.
    NeverLooksBack,
    /// Writes in a session that was ended.
    WritesAfterTheEnd,
    /// Each statement commits by itself.
    HalfApplies,
    /// A dropped migration goes on.
    GoesOnWhenDropped,
    /// Cancelling does nothing.
    IgnoresCancel,
    /// Reading the history makes it.
    ReadingWrites,
    /// Reading the history needs the lock.
    ReadingNeedsTheLock,
    /// What was read once is never read again.
    RemembersTheHistory,
    /// Making the history empties it.
    MakingEmpties,
    /// The row has another checksum.
    WrongChecksum,
    /// The row counts no statements.
    CountsNothing,
    /// Recording a step runs it.
    RecordingRuns,
    /// Forgetting a step does nothing.
    ForgetsNothing,
    /// A repeatable migration is applied once.
    RepeatsNothing,
    /// A script is run twice.
    AppliesTwice,
    /// A script is recorded and not run.
    RecordsWithoutRunning,
    /// A script is run and not recorded.
    RunsWithoutRecording,
    /// What the history says is applied is run again when it is asked for.
    AppliesWhatIsApplied,
    /// A failed migration is recorded with its checksum, and no other is let in its place.
    RefusesCorrections,
    /// A script without statements is not recorded.
    SkipsEmptyScripts,
    /// The undo script is run, and the version stays applied.
    UndoneStaysApplied,
    /// The version is marked undone, and the script is not run.
    UndoRunsNothing,
    /// A resumed migration begins at its first statement.
    StartsOver,
    /// The lock is known to one process only.
    LocksOneProcess,
    /// The lock is still there when its process is not.
    OutlivesItsProcess,
}

/// By its name.
impl FromStr for Flaw {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        serde_json::from_value(name.into())
            .map_err(|error| Error::new(ErrorKind::InvalidConfig, error.to_string()))
    }
}
