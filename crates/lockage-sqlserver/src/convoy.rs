//! Statements of ours that follow each other travel as one batch.

use lockage_core::{Error, ErrorKind};
use lockage_sql::{CommandError, AssertionError, Row};

use crate::dialect::DIALECT;
use crate::error;
use crate::facts::Facts;
use crate::wire::Broken;

/// The number under which a condition that is not true is thrown; the message tells which.
const REFUSED: u32 = 54006;

/// The number under which it is thrown that a transaction of ours is not the one that was begun.
const NOT_OURS: u32 = 54007;

/// A transaction of ours that is open, by what the server calls it.
pub(crate) type Transaction = Option<String>;

/// Statements that wait to be sent.
#[derive(Default)]
pub(crate) struct Convoy {
    text: String,
    pieces: Vec<usize>,
    refusals: Vec<(usize, AssertionError)>,
    begins: bool,
    ends: bool,
}

/// What is known when a convoy has arrived.
pub(crate) struct Arrival {
    pub(crate) open_transactions: u32,
    /// What the server calls the one in hand.
    pub(crate) transaction: String,
}

impl Convoy {
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(crate) fn own(&mut self, index: usize, sql: &str) {
        self.begins |= sql == DIALECT.begin;
        self.ends |= sql == DIALECT.commit || sql == DIALECT.rollback;
        self.pieces.push(index);
        self.text.push_str(sql);
        self.text.push_str(";\n");
    }

    pub(crate) fn require(&mut self, index: usize, condition: &str, refusal: &AssertionError) {
        self.pieces.push(index);
        self.refusals.push((index, refusal.clone()));
        self.text.push_str(&format!(
            "IF NOT ({condition}) THROW {REFUSED}, N'lockage {index}', 1;\n"
        ));
    }

    /// The batch. What is written while our transaction is open is written in it and nowhere else: a procedure that a script called may
    /// have ended it.
    pub(crate) fn batch(&self, open: Option<&str>, facts: &Facts) -> String {
        let number = facts.transaction;
        let guard = match open {
            Some(open) if !self.text.starts_with(DIALECT.rollback) => format!(
                "IF @@TRANCOUNT <> 1 OR XACT_STATE() <> 1 OR {number} <> {open} THROW {NOT_OURS}, N'lockage', 1;\n"
            ),
            _ => String::new(),
        };
        format!("{guard}{}SELECT @@TRANCOUNT, {number}", self.text)
    }

    /// Which transaction of ours is open behind it.
    pub(crate) fn leaves(&self, open: Transaction, arrival: &Arrival) -> Transaction {
        if self.ends {
            None
        } else if self.begins {
            Some(arrival.transaction.clone())
        } else {
            open
        }
    }

    pub(crate) fn pieces(&self) -> impl Iterator<Item = usize> {
        self.pieces.iter().copied()
    }

    /// Reads what the batch answered: its last row is the proof that it ran to its end.
    pub(crate) fn arrive(&self, answer: Result<Vec<Vec<Row>>, Broken>) -> Result<Arrival, CommandError> {
        let first = self.pieces.first().copied().unwrap_or_default();
        let sets = answer.map_err(|broken| self.failure(first, broken.error))?;
        let row = sets.last().and_then(|rows| rows.first());
        let arrival = row.and_then(|row| {
            let [count, transaction] = row.as_slice() else {
                return None;
            };
            Some(Arrival {
                open_transactions: count.as_deref()?.parse().ok()?,
                transaction: transaction.clone()?,
            })
        });
        arrival.ok_or_else(|| {
            let error = Error::new(
                ErrorKind::Unexpected,
                "the server did not run all that it was sent",
            );
            CommandError::new(first, error)
        })
    }

    fn failure(&self, first: usize, error: tiberius::error::Error) -> CommandError {
        if let tiberius::error::Error::Server(server) = &error {
            let index = || {
                server
                    .message()
                    .strip_prefix("lockage ")?
                    .parse::<usize>()
                    .ok()
            };
            let refusal = || {
                let index = index()?;
                self.refusals.iter().find(|(piece, _)| *piece == index)
            };
            match server.code() {
                REFUSED => {
                    if let Some((index, refusal)) = refusal() {
                        return CommandError::new(*index, refusal.clone().into());
                    }
                }
                NOT_OURS => {
                    let ended = Error::new(
                        ErrorKind::MigrationFailed,
                        "the script ended the transaction that it runs in, or left another one open in it",
                    );
                    return CommandError::new(
                        first,
                        ended.with_hint(
                            "look at what the procedures that it calls do; what was committed stays. Such a script needs \
                             `-- lockage: no-transaction` at the head of the file",
                        ),
                    );
                }
                _ => {}
            }
        }
        error::failure(first, None, error)
    }
}
