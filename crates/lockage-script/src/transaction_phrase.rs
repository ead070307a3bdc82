//! Phrases that begin, end or divide a transaction, per dialect.

use self::TransactionControl::{
    Begin, Commit, Prepare, ReleaseSavepoint, Rollback, RollbackToSavepoint, Savepoint,
};

/// The effect of a statement on the transaction around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransactionControl {
    /// Begins a transaction.
    Begin,
    /// Commits the transaction.
    Commit,
    /// Rolls the transaction back.
    Rollback,
    /// Detaches the transaction from the session. It is ended by its name later.
    Prepare,
    /// Sets a savepoint.
    Savepoint,
    /// Rolls back to a savepoint.
    RollbackToSavepoint,
    /// Releases a savepoint.
    ReleaseSavepoint,
}

impl TransactionControl {
    /// Returns whether it begins or ends a transaction, so that it cannot be used inside another transaction.
    #[must_use]
    pub fn crosses_boundary(self) -> bool {
        match self {
            Self::Begin | Self::Commit | Self::Rollback | Self::Prepare => true,
            Self::Savepoint | Self::RollbackToSavepoint | Self::ReleaseSavepoint => false,
        }
    }
}

/// The first words of a statement, and the effect of such a statement.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct TransactionPhrase {
    /// One to three words, in upper case.
    pub words: &'static [&'static str],
    /// The effect, or `None` if the statement only starts like one that controls a transaction.
    pub control: Option<TransactionControl>,
}

impl TransactionPhrase {
    /// Creates a phrase whose statements have the effect `control`. `words` holds one to three words, in upper case.
    #[must_use]
    pub const fn new(words: &'static [&'static str], control: TransactionControl) -> Self {
        Self {
            words,
            control: Some(control),
        }
    }

    /// Creates an exception: a phrase whose statements have no effect on the transaction. It must precede the shorter phrase that it
    /// excepts from.
    #[must_use]
    pub const fn exempt(words: &'static [&'static str]) -> Self {
        Self {
            words,
            control: None,
        }
    }
}

// In each table, the longer of two phrases that start alike comes first.

pub(crate) const POSTGRES_PHRASES: &[TransactionPhrase] = &[
    TransactionPhrase::new(&["BEGIN"], Begin),
    TransactionPhrase::new(&["START", "TRANSACTION"], Begin),
    // These end a transaction that was detached from its session earlier, not this session's.
    TransactionPhrase::exempt(&["COMMIT", "PREPARED"]),
    TransactionPhrase::exempt(&["ROLLBACK", "PREPARED"]),
    TransactionPhrase::new(&["COMMIT"], Commit),
    TransactionPhrase::new(&["END"], Commit),
    TransactionPhrase::new(&["ROLLBACK", "TO"], RollbackToSavepoint),
    TransactionPhrase::new(&["ROLLBACK", "WORK", "TO"], RollbackToSavepoint),
    TransactionPhrase::new(&["ROLLBACK", "TRANSACTION", "TO"], RollbackToSavepoint),
    TransactionPhrase::new(&["ROLLBACK"], Rollback),
    TransactionPhrase::new(&["ABORT"], Rollback),
    TransactionPhrase::new(&["PREPARE", "TRANSACTION"], Prepare),
    TransactionPhrase::new(&["SAVEPOINT"], Savepoint),
    TransactionPhrase::new(&["RELEASE"], ReleaseSavepoint),
];

pub(crate) const MYSQL_PHRASES: &[TransactionPhrase] = &[
    TransactionPhrase::exempt(&["BEGIN", "NOT"]),
    TransactionPhrase::new(&["BEGIN"], Begin),
    TransactionPhrase::new(&["START", "TRANSACTION"], Begin),
    TransactionPhrase::new(&["COMMIT"], Commit),
    TransactionPhrase::new(&["ROLLBACK", "TO"], RollbackToSavepoint),
    TransactionPhrase::new(&["ROLLBACK", "WORK", "TO"], RollbackToSavepoint),
    TransactionPhrase::new(&["ROLLBACK"], Rollback),
    TransactionPhrase::new(&["SAVEPOINT"], Savepoint),
    TransactionPhrase::new(&["RELEASE", "SAVEPOINT"], ReleaseSavepoint),
    TransactionPhrase::new(&["XA", "START"], Begin),
    TransactionPhrase::new(&["XA", "BEGIN"], Begin),
    TransactionPhrase::new(&["XA", "END"], Prepare),
    TransactionPhrase::new(&["XA", "PREPARE"], Prepare),
    TransactionPhrase::new(&["XA", "COMMIT"], Commit),
    TransactionPhrase::new(&["XA", "ROLLBACK"], Rollback),
];

pub(crate) const SQLSERVER_PHRASES: &[TransactionPhrase] = &[
    TransactionPhrase::new(&["BEGIN", "TRAN"], Begin),
    TransactionPhrase::new(&["BEGIN", "TRANSACTION"], Begin),
    TransactionPhrase::new(&["BEGIN", "DISTRIBUTED"], Begin),
    TransactionPhrase::new(&["COMMIT"], Commit),
    // `ALTER DATABASE … WITH ROLLBACK IMMEDIATE` ends other sessions' transactions.
    TransactionPhrase::exempt(&["WITH", "ROLLBACK", "IMMEDIATE"]),
    TransactionPhrase::exempt(&["WITH", "ROLLBACK", "AFTER"]),
    TransactionPhrase::new(&["ROLLBACK"], Rollback),
    TransactionPhrase::new(&["SAVE", "TRAN"], Savepoint),
    TransactionPhrase::new(&["SAVE", "TRANSACTION"], Savepoint),
];

pub(crate) const SQLITE_PHRASES: &[TransactionPhrase] = &[
    TransactionPhrase::new(&["BEGIN"], Begin),
    TransactionPhrase::new(&["COMMIT"], Commit),
    TransactionPhrase::new(&["END"], Commit),
    TransactionPhrase::new(&["ROLLBACK", "TO"], RollbackToSavepoint),
    TransactionPhrase::new(&["ROLLBACK", "TRANSACTION", "TO"], RollbackToSavepoint),
    TransactionPhrase::new(&["ROLLBACK"], Rollback),
    TransactionPhrase::new(&["SAVEPOINT"], Savepoint),
    TransactionPhrase::new(&["RELEASE"], ReleaseSavepoint),
];
