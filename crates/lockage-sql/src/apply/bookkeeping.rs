//! What history and journal are told of a script whose statements commit one by one.

use std::collections::BTreeMap;
use std::time::Instant;

use lockage_core::{Action, Error, ErrorKind, LockProof, Kind, Migration, Result, State, Step};

use crate::SqlSession;
use crate::again;
use crate::connection::{FailureCause, Connection, CommandError};
use crate::history::Entry;
use crate::journal::{self, Line};

/// How far a script has come.
pub(super) struct Run {
    begun: Instant,
    pub(super) total: u32,
    /// Statements that are committed.
    pub(super) done: u32,
    /// Statements that this run ran.
    pub(super) ran: u32,
    /// Between a BEGIN and a COMMIT of the script's own.
    pub(super) in_transaction: bool,
    /// What the journal is to say of the statements since that BEGIN.
    pub(super) rows: Vec<String>,
}

impl Run {
    /// A run of so many statements that begins now.
    pub(super) fn new(total: u32) -> Self {
        Self {
            begun: Instant::now(),
            total,
            done: 0,
            ran: 0,
            in_transaction: false,
            rows: Vec::new(),
        }
    }
}

impl<C: Connection> SqlSession<C> {
    /// What the history is told of a statement that is done. The row of an undo is that of the migration which it takes back; it stays
    /// as it is until the end.
    pub(super) fn advance(&self, step: &Step, index: u32) -> Vec<String> {
        match step.action {
            Action::Undo => Vec::new(),
            _ => vec![
                self.history
                    .advance(&step.migration, &State::Running, index + 1),
            ],
        }
    }

    /// Makes the journal where it is missing, and reads what it says of a migration.
    pub(super) async fn open_journal(
        &mut self,
        held: &LockProof,
        migration: &Migration,
    ) -> Result<BTreeMap<u32, Line>> {
        if let Some(journal) = self.read_journal(migration).await? {
            return Ok(journal);
        }
        let lock = self.require_lock(held).await?;
        self.write(lock, vec![self.journal.create()]).await?;
        Ok(BTreeMap::new())
    }

    /// What the journal says of a migration; `None` where there is no journal.
    pub(crate) async fn read_journal(
        &mut self,
        migration: &Migration,
    ) -> Result<Option<BTreeMap<u32, Line>>> {
        match again::query(&mut self.connection, &self.journal.select(migration)).await {
            Ok(rows) => journal::parse(rows).map(Some),
            Err(failure) if failure.cause == FailureCause::MissingTable => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Says in the history that the migration is under way. The row of what an undo takes back says that it is being undone.
    pub(super) async fn announce(
        &mut self,
        held: &LockProof,
        step: &Step,
        total: u32,
        journal: &BTreeMap<u32, Line>,
    ) -> Result<()> {
        let requirements = self.requirements(held, step).await?;
        let migration = &*step.migration;
        let done = journal
            .iter()
            .rev()
            .find(|(_, line)| line.done)
            .map_or(0, |(index, _)| index + 1);
        let statements = match step.action {
            Action::Undo => vec![self.history.advance(migration, &State::Undoing, done)],
            _ => {
                let entry = Entry {
                    migration,
                    state: State::Running,
                    duration_ms: "0".into(),
                    statements: (done, total),
                };
                vec![self.history.delete(migration), self.history.insert(&entry)]
            }
        };
        self.write(requirements, statements).await
    }

    pub(super) async fn finish(&mut self, held: &LockProof, step: &Step, run: &Run) -> Result<()> {
        let migration = &*step.migration;
        let state = if step.action == Action::Undo {
            State::Undone
        } else {
            State::Applied
        };
        let duration_ms = run.begun.elapsed().as_millis().to_string();
        let entry = Entry {
            migration,
            state,
            duration_ms,
            statements: (run.total, run.total),
        };
        let statements = vec![
            self.history.delete(migration),
            self.history.insert(&entry),
            self.journal.clear(migration),
        ];
        let lock = self.require_lock(held).await?;
        self.write(lock, statements).await
    }

    /// Leaves word of a failure in the history, and says how far the migration came.
    pub(super) async fn leave_failed(
        &mut self,
        held: &LockProof,
        migration: &Migration,
        run: &Run,
        error: Error,
    ) -> Error {
        // What stopped the run may be none of the statements: what they began is still open then, and what is written below would commit it.
        let error = self.roll_back(CommandError::new(0, error)).await.error;
        if !matches!(error.kind(), ErrorKind::SessionLost | ErrorKind::LockLost)
            && migration.kind() != Kind::Undo
        {
            let failed = self.history.advance(migration, &State::Failed, run.done);
            // The error in hand is the one to tell; the journal knows how far it came all the same.
            if let Ok(lock) = self.require_lock(held).await {
                let _ = self.write(lock, vec![failed]).await;
            }
        }
        error.with_context(
            "effect",
            format!("{} of {} statements are committed", run.done, run.total),
        )
    }
}
