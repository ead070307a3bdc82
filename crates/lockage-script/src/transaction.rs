//! Statements that begin, end or divide a transaction.

use std::collections::VecDeque;

use super::syntax::{Separator, Syntax};
use super::words::{Word, Words};

/// What a statement does to the transaction around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransactionControl {
    /// Begins one.
    Begin,
    /// Ends it and keeps its work.
    Commit,
    /// Ends it and drops its work.
    Rollback,
    /// Detaches it from the session, to be ended by name.
    Prepare,
    /// Marks a place to go back to.
    Savepoint,
    /// Goes back to such a place.
    RollbackToSavepoint,
    /// Forgets such a place.
    ReleaseSavepoint,
}

impl TransactionControl {
    /// Whether it begins or ends a transaction, so that it cannot stand inside another's.
    #[must_use]
    pub fn crosses_boundary(self) -> bool {
        match self {
            Self::Begin | Self::Commit | Self::Rollback | Self::Prepare => true,
            Self::Savepoint | Self::RollbackToSavepoint | Self::ReleaseSavepoint => false,
        }
    }
}

/// Words and what a statement that starts with them does.
#[derive(Debug, Clone, Copy)]
pub struct TransactionPhrase {
    /// One to three words, in upper case.
    pub words: &'static [&'static str],
    /// What they do; `None` where they only look like it.
    pub control: Option<TransactionControl>,
}

/// The most words in a phrase.
const LONGEST: usize = 3;

/// What a statement does to the transaction around it, by the words it starts with.
///
/// A SQL Server batch holds many statements; there the phrase may stand anywhere outside literals and comments, and what
/// [crosses a boundary](TransactionControl::crosses_boundary) is found before what does not. The batch that defines a procedure, function,
/// trigger or view does nothing itself. What a called routine or dynamic SQL does is not seen.
#[must_use]
pub fn transaction_control(text: &str, syntax: &Syntax) -> Option<TransactionControl> {
    let mut words = Words::new(text, syntax);
    let mut ahead: VecDeque<Word<'_>> = words.by_ref().take(LONGEST + 1).collect();
    if syntax.separator == Separator::Semicolon {
        return phrase(&ahead, syntax)?.control;
    }
    if defines_module(&ahead) {
        return None;
    }
    let mut within = None;
    while !ahead.is_empty() {
        let found = phrase(&ahead, syntax);
        let control = found.and_then(|found| found.control);
        if control.is_some_and(TransactionControl::crosses_boundary) {
            return control;
        }
        within = within.or(control);
        for _ in 0..found.map_or(1, |found| found.words.len()) {
            ahead.pop_front();
            ahead.extend(words.next());
        }
    }
    within
}

fn phrase(ahead: &VecDeque<Word<'_>>, syntax: &Syntax) -> Option<&'static TransactionPhrase> {
    syntax.transactions.iter().find(|phrase| {
        phrase.words.len() <= ahead.len()
            && phrase
                .words
                .iter()
                .zip(ahead)
                .all(|(word, found)| found.is(word))
    })
}

/// Whether a batch starts with `CREATE [OR ALTER] PROCEDURE` or the like.
fn defines_module(ahead: &VecDeque<Word<'_>>) -> bool {
    let mut words = ahead.iter();
    if !words
        .next()
        .is_some_and(|word| word.is("CREATE") || word.is("ALTER"))
    {
        return false;
    }
    words
        .find(|word| !word.is("OR") && !word.is("ALTER"))
        .is_some_and(|word| {
            ["PROC", "PROCEDURE", "FUNCTION", "TRIGGER", "VIEW"]
                .iter()
                .any(|kind| word.is(kind))
        })
}

/// The phrases of the dialects; the longer of two that start alike comes first.
pub(super) mod phrases {
    use super::TransactionControl::{
        Begin, Commit, Prepare, ReleaseSavepoint, Rollback, RollbackToSavepoint, Savepoint,
    };
    use super::{TransactionControl, TransactionPhrase};

    const fn does(
        words: &'static [&'static str],
        control: TransactionControl,
    ) -> TransactionPhrase {
        TransactionPhrase {
            words,
            control: Some(control),
        }
    }

    const fn looks_like(words: &'static [&'static str]) -> TransactionPhrase {
        TransactionPhrase {
            words,
            control: None,
        }
    }

    pub(in super::super) const POSTGRES: &[TransactionPhrase] = &[
        does(&["BEGIN"], Begin),
        does(&["START", "TRANSACTION"], Begin),
        // These end what was detached from a session earlier, and nothing of this one's.
        looks_like(&["COMMIT", "PREPARED"]),
        looks_like(&["ROLLBACK", "PREPARED"]),
        does(&["COMMIT"], Commit),
        does(&["END"], Commit),
        does(&["ROLLBACK", "TO"], RollbackToSavepoint),
        does(&["ROLLBACK", "WORK", "TO"], RollbackToSavepoint),
        does(&["ROLLBACK", "TRANSACTION", "TO"], RollbackToSavepoint),
        does(&["ROLLBACK"], Rollback),
        does(&["ABORT"], Rollback),
        does(&["PREPARE", "TRANSACTION"], Prepare),
        does(&["SAVEPOINT"], Savepoint),
        does(&["RELEASE"], ReleaseSavepoint),
    ];

    pub(in super::super) const MYSQL: &[TransactionPhrase] = &[
        looks_like(&["BEGIN", "NOT"]),
        does(&["BEGIN"], Begin),
        does(&["START", "TRANSACTION"], Begin),
        does(&["COMMIT"], Commit),
        does(&["ROLLBACK", "TO"], RollbackToSavepoint),
        does(&["ROLLBACK", "WORK", "TO"], RollbackToSavepoint),
        does(&["ROLLBACK"], Rollback),
        does(&["SAVEPOINT"], Savepoint),
        does(&["RELEASE", "SAVEPOINT"], ReleaseSavepoint),
        does(&["XA", "START"], Begin),
        does(&["XA", "BEGIN"], Begin),
        does(&["XA", "END"], Prepare),
        does(&["XA", "PREPARE"], Prepare),
        does(&["XA", "COMMIT"], Commit),
        does(&["XA", "ROLLBACK"], Rollback),
    ];

    pub(in super::super) const SQLSERVER: &[TransactionPhrase] = &[
        does(&["BEGIN", "TRAN"], Begin),
        does(&["BEGIN", "TRANSACTION"], Begin),
        does(&["BEGIN", "DISTRIBUTED"], Begin),
        does(&["COMMIT"], Commit),
        // `ALTER DATABASE … WITH ROLLBACK IMMEDIATE` ends other sessions' transactions.
        looks_like(&["WITH", "ROLLBACK", "IMMEDIATE"]),
        looks_like(&["WITH", "ROLLBACK", "AFTER"]),
        does(&["ROLLBACK"], Rollback),
        does(&["SAVE", "TRAN"], Savepoint),
        does(&["SAVE", "TRANSACTION"], Savepoint),
    ];

    pub(in super::super) const SQLITE: &[TransactionPhrase] = &[
        does(&["BEGIN"], Begin),
        does(&["COMMIT"], Commit),
        does(&["END"], Commit),
        does(&["ROLLBACK", "TO"], RollbackToSavepoint),
        does(&["ROLLBACK", "TRANSACTION", "TO"], RollbackToSavepoint),
        does(&["ROLLBACK"], Rollback),
        does(&["SAVEPOINT"], Savepoint),
        does(&["RELEASE"], ReleaseSavepoint),
    ];
}
