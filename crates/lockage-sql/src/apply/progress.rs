//! What history and journal record about a script whose statements commit one by one.

use std::collections::BTreeMap;
use std::time::Instant;

use lockage_core::{Action, Error, ErrorKind, Kind, LockProof, Migration, Result, State, Step};

use crate::command::{CommandError, FailureCause};
use crate::internal_commands;
use crate::script::Savepoints;
use crate::session::{SqlConnection, SqlSession};
use crate::tables::history::HistoryWrite;
use crate::tables::journal::{self, JournalRow};

/// How much of a script has run.
pub(super) struct Progress {
    started_at: Instant,
    /// The number of statements of the script.
    pub(super) total: u32,
    /// The number of statements that are committed.
    pub(super) done: u32,
    /// The number of statements that this run executed.
    pub(super) executed: u32,
    /// Whether the script began a transaction that it has not ended.
    pub(super) in_transaction: bool,
    /// The savepoints of that transaction, on engines where the outermost one begins it.
    pub(super) savepoints: Savepoints,
    /// The journal rows of the statements in that transaction, as SQL. They are written directly before its COMMIT.
    pub(super) pending_rows: Vec<String>,
}

impl Progress {
    pub(super) fn new(total: u32) -> Self {
        Self {
            started_at: Instant::now(),
            total,
            done: 0,
            executed: 0,
            in_transaction: false,
            savepoints: Savepoints::default(),
            pending_rows: Vec::new(),
        }
    }
}

impl<C: SqlConnection> SqlSession<C> {
    /// Returns the SQL that records in the history that a statement is done.
    ///
    /// The row of an undo step is the row of the migration that it undoes; that row does not change until the end.
    pub(super) fn advance(&self, step: &Step, index: u32) -> Vec<String> {
        match step.action {
            Action::Undo => Vec::new(),
            _ => vec![
                self.history
                    .advance_sql(&step.migration, &State::Running, index + 1),
            ],
        }
    }

    /// Creates the journal if it does not exist, and reads the rows of a migration.
    pub(super) async fn open_journal(
        &mut self,
        proof: &LockProof,
        migration: &Migration,
    ) -> Result<BTreeMap<u32, JournalRow>> {
        if let Some(journal) = self.read_journal(migration).await? {
            return Ok(journal);
        }
        let assertions = self.lock_assertions(proof).await?;
        self.write_in_transaction(assertions, vec![self.journal.create_sql()])
            .await?;
        Ok(BTreeMap::new())
    }

    /// Reads the journal rows of a migration, by statement; `None` if the journal does not exist.
    pub(crate) async fn read_journal(
        &mut self,
        migration: &Migration,
    ) -> Result<Option<BTreeMap<u32, JournalRow>>> {
        let sql = self.journal.select_sql(migration);
        match internal_commands::query(&mut self.connection, &sql).await {
            Ok(rows) => journal::parse(rows).map(Some),
            Err(failure) if failure.cause == FailureCause::MissingTable => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Records in the history that the migration is running, or that it is being undone.
    pub(super) async fn mark_running(
        &mut self,
        proof: &LockProof,
        step: &Step,
        total: u32,
        journal: &BTreeMap<u32, JournalRow>,
    ) -> Result<()> {
        let assertions = self.assertions(proof, step).await?;
        let migration = &*step.migration;
        let done = journal
            .iter()
            .rev()
            .find(|(_, row)| row.done)
            .map_or(0, |(index, _)| index + 1);
        let statements = match step.action {
            Action::Undo => vec![self.history.advance_sql(migration, &State::Undoing, done)],
            _ => {
                let row = HistoryWrite {
                    migration,
                    state: State::Running,
                    duration_ms: "0".into(),
                    statements: (done, total),
                };
                vec![
                    self.history.delete_sql(migration),
                    self.history.insert_sql(&row),
                ]
            }
        };
        self.write_in_transaction(assertions, statements).await
    }

    /// Records in the history that the step is done, and deletes the journal rows.
    pub(super) async fn mark_finished(
        &mut self,
        proof: &LockProof,
        step: &Step,
        progress: &Progress,
    ) -> Result<()> {
        let migration = &*step.migration;
        let duration_ms = progress.started_at.elapsed().as_millis().to_string();
        let row = HistoryWrite {
            migration,
            state: finished_state(step),
            duration_ms,
            statements: (progress.total, progress.total),
        };
        let statements = vec![
            self.history.delete_sql(migration),
            self.history.insert_sql(&row),
            self.journal.clear_sql(migration),
        ];
        let assertions = self.lock_assertions(proof).await?;
        self.write_in_transaction(assertions, statements).await
    }

    /// Records the failure in the history, and adds to the error how many statements are committed.
    pub(super) async fn mark_failed(
        &mut self,
        proof: &LockProof,
        migration: &Migration,
        progress: &Progress,
        error: Error,
    ) -> Error {
        // Rolled back first: an open transaction of the script would be committed by the write below.
        let error = self.roll_back(CommandError::new(0, error)).await.error;
        if !matches!(error.kind(), ErrorKind::SessionLost | ErrorKind::LockLost)
            && migration.kind() != Kind::Undo
        {
            let failed = self
                .history
                .advance_sql(migration, &State::Failed, progress.done);
            // The first error is the one to report. Without this row, the journal still records the progress.
            if let Ok(assertions) = self.lock_assertions(proof).await {
                let _ = self.write_in_transaction(assertions, vec![failed]).await;
            }
        }
        error.with_context(
            "effect",
            format!(
                "{} of {} statements are committed",
                progress.done, progress.total
            ),
        )
    }
}

/// Returns the state of a migration after a step that runs a script.
pub(super) fn finished_state(step: &Step) -> State {
    match step.action {
        Action::Undo => State::Undone,
        _ => State::Applied,
    }
}
