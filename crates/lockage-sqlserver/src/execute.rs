//! Runs commands: internal commands joined to batches, and each batch of a script by itself.

use lockage_core::{Error, ErrorKind};
use lockage_sql::{Command, CommandError, cancelled_error, timeout_error};

use crate::batch::Batch;
use crate::connection::SqlServerConnection;
use crate::dialect::bracketed;
use crate::driver::ExecutionEnd;
use crate::error;
use crate::session_effects::SessionEffects;

impl SqlServerConnection {
    /// Runs commands in order. Calls `on_done` with the index of each command that succeeded.
    pub(crate) async fn execute_commands(
        &mut self,
        commands: &[Command<'_>],
        on_done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), CommandError> {
        let mut batch = Batch::default();
        for (index, command) in commands.iter().enumerate() {
            match command {
                Command::Internal(sql) => batch.push_internal(index, sql),
                Command::Assert(condition, error) => batch.push_assertion(index, condition, error),
                Command::Script(sql) => {
                    self.send_batch(std::mem::take(&mut batch), on_done).await?;
                    self.run_script(index, sql).await?;
                    on_done(index);
                }
                command => {
                    let error = Error::new(
                        ErrorKind::Unsupported,
                        format!("this backend does not know the command {command:?}"),
                    );
                    return Err(CommandError::new(index, error));
                }
            }
        }
        self.send_batch(batch, on_done).await
    }

    async fn send_batch(
        &mut self,
        batch: Batch,
        on_done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), CommandError> {
        if batch.is_empty() {
            return Ok(());
        }
        let first = batch.commands().next().unwrap_or_default();
        let at_first = |error| CommandError::new(first, error);
        self.restore_session().await.map_err(at_first)?;
        let server_info = self.server_info().await.map_err(at_first)?;
        let sql = batch.sql(self.open_transaction.as_deref(), &server_info);
        let sets = self.query_sets(&sql).await;
        let reply = match batch.parse_reply(sets) {
            Ok(reply) => reply,
            Err(failure) => {
                self.transaction_count = None;
                return Err(failure);
            }
        };
        self.open_transaction = batch.transaction_after(self.open_transaction.take(), &reply);
        self.transaction_count = Some(reply.open_transactions);
        batch.commands().for_each(on_done);
        Ok(())
    }

    /// Runs a batch of a script until it ends, is cancelled or exceeds the statement timeout.
    async fn run_script(&mut self, index: usize, sql: &str) -> Result<(), CommandError> {
        let at_index = |error| CommandError::new(index, error);
        self.server_info().await.map_err(at_index)?;
        if self.cancel.take_cancelled() {
            return Err(at_index(cancelled_error()));
        }
        // Internal statements ran in the initial database. The script continues in the database that it changed to.
        if let Some(database) = self.script_database.take() {
            let change = format!("USE {}", bracketed(&database));
            self.query_sets(&change)
                .await
                .map_err(|failure| at_index(failure.into_error()))?;
            self.session_effects.changes_database = true;
        }
        // Recorded before the batch runs: a batch that fails can have changed the session too.
        self.session_effects = self.session_effects.merge(SessionEffects::scan(sql));
        let timeout = self.statement_timeout;
        let mut cancelled = self.cancel.subscribe();
        let driver = self.driver().map_err(at_index)?;
        let end = driver.execute_until(sql, timeout, &mut cancelled).await;
        let notices = driver.take_notices();
        self.notices.extend(notices);
        let was_cancelled = self.cancel.take_cancelled();
        match end {
            ExecutionEnd::Finished(Ok(())) => Ok(()),
            ExecutionEnd::Finished(Err(error)) => {
                let failure = error::command_error(index, Some(sql), error);
                Err(failure.map_error(|error| as_script_error(error, was_cancelled)))
            }
            ExecutionEnd::Cancelled => Err(at_index(cancelled_error())),
            ExecutionEnd::TimedOut => Err(at_index(timeout_error(timeout.unwrap_or_default()))),
            ExecutionEnd::Unresponsive => Err(at_index(Error::new(
                ErrorKind::SessionLost,
                "the server did not cancel the statement in time; the session was abandoned",
            ))),
        }
    }
}

/// Converts an error of a script's statement. Numbers that mean a failed login at connect time are errors of the statement here.
fn as_script_error(error: Error, was_cancelled: bool) -> Error {
    match error.kind() {
        ErrorKind::MigrationFailed if was_cancelled => cancelled_error().with_source(error),
        ErrorKind::Connect => {
            Error::new(ErrorKind::MigrationFailed, error.message()).with_source(error)
        }
        _ => error,
    }
}
