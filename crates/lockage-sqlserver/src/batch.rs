//! Joins consecutive internal commands to one T-SQL batch and reads its reply.

use lockage_core::{Error, ErrorKind};
use lockage_sql::{AssertionError, CommandError};
use tiberius::error::Error as DriverError;

use crate::dialect::DIALECT;
use crate::driver::{QueryError, ResultSets, last_row};
use crate::error;
use crate::server_info::ServerInfo;

/// The error number of an assertion that is false. The message contains the index of the command.
const ASSERTION_FAILED: u32 = 54006;

/// The error number of a batch that runs in another transaction than the one that Lockage began.
const TRANSACTION_CHANGED: u32 = 54007;

/// Commands that are sent together.
#[derive(Default)]
pub(crate) struct Batch {
    text: String,
    commands: Vec<usize>,
    assertions: Vec<(usize, AssertionError)>,
    begins_transaction: bool,
    ends_transaction: bool,
}

/// The reply to a batch that ran to its end.
pub(crate) struct BatchReply {
    /// The number of open transactions.
    pub(crate) open_transactions: u32,
    /// The server's id of the current transaction.
    transaction_id: String,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Returns the indexes of the commands.
    pub(crate) fn commands(&self) -> impl Iterator<Item = usize> {
        self.commands.iter().copied()
    }

    /// Adds an internal statement.
    pub(crate) fn push_internal(&mut self, index: usize, sql: &str) {
        self.begins_transaction |= sql == DIALECT.begin;
        self.ends_transaction |= sql == DIALECT.commit || sql == DIALECT.rollback;
        self.commands.push(index);
        self.text.push_str(sql);
        self.text.push_str(";\n");
    }

    /// Adds a condition that fails the batch when it is false.
    pub(crate) fn push_assertion(&mut self, index: usize, condition: &str, error: &AssertionError) {
        self.commands.push(index);
        self.assertions.push((index, error.clone()));
        self.text.push_str(&format!(
            "IF NOT ({condition}) THROW {ASSERTION_FAILED}, N'lockage {index}', 1;\n"
        ));
    }

    /// Returns the text of the batch.
    ///
    /// While an internal transaction is open, the batch first checks that it runs in that transaction: a procedure that the
    /// script called may have ended it. The check comes before every write, and the final SELECT proves that the batch ran to
    /// its end.
    pub(crate) fn sql(&self, open_transaction: Option<&str>, server_info: &ServerInfo) -> String {
        let id = server_info.transaction_id_sql;
        let guard = match open_transaction {
            Some(open) if !self.text.starts_with(DIALECT.rollback) => format!(
                "IF @@TRANCOUNT <> 1 OR XACT_STATE() <> 1 OR {id} <> {open} THROW {TRANSACTION_CHANGED}, N'lockage', 1;\n"
            ),
            _ => String::new(),
        };
        format!("{guard}{}SELECT @@TRANCOUNT, {id}", self.text)
    }

    /// Returns the id of the internal transaction that is open after the batch.
    pub(crate) fn transaction_after(
        &self,
        open_transaction: Option<String>,
        reply: &BatchReply,
    ) -> Option<String> {
        if self.ends_transaction {
            None
        } else if self.begins_transaction {
            Some(reply.transaction_id.clone())
        } else {
            open_transaction
        }
    }

    /// Reads the reply to the batch.
    pub(crate) fn parse_reply(
        &self,
        reply: Result<ResultSets, QueryError>,
    ) -> Result<BatchReply, CommandError> {
        let first = self.commands().next().unwrap_or_default();
        let sets = reply.map_err(|failure| self.command_error(first, failure.error))?;
        let parsed = last_row(&sets).and_then(|row| {
            let [count, transaction_id] = row.as_slice() else {
                return None;
            };
            Some(BatchReply {
                open_transactions: count.as_deref()?.parse().ok()?,
                transaction_id: transaction_id.clone()?,
            })
        });
        parsed.ok_or_else(|| {
            let error = Error::new(
                ErrorKind::Unexpected,
                "the server did not run the batch to its end",
            );
            CommandError::new(first, error)
        })
    }

    fn command_error(&self, first: usize, error: DriverError) -> CommandError {
        if let DriverError::Server(server) = &error {
            match server.code() {
                ASSERTION_FAILED => {
                    if let Some((index, assertion)) = self.failed_assertion(server.message()) {
                        return CommandError::new(*index, assertion.clone().into());
                    }
                }
                TRANSACTION_CHANGED => {
                    return CommandError::new(first, transaction_changed_error());
                }
                _ => {}
            }
        }
        error::command_error(first, None, error)
    }

    fn failed_assertion(&self, message: &str) -> Option<&(usize, AssertionError)> {
        let failed: usize = message.strip_prefix("lockage ")?.parse().ok()?;
        self.assertions.iter().find(|(index, _)| *index == failed)
    }
}

fn transaction_changed_error() -> Error {
    Error::new(
        ErrorKind::MigrationFailed,
        "the script ended the transaction that it runs in, or left another one open in it",
    )
    .with_hint(
        "check the procedures that the script calls; committed changes remain. A script that ends transactions needs \
         `-- lockage: no-transaction` at the head of the file",
    )
}
