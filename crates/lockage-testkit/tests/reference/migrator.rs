use std::sync::Arc;

use lockage_core::{
    Action, Canceller, Capabilities, Error, ErrorKind, Event, History, Kind, LockKey, LockProof,
    Migrator, NoObserver, Observer, Result, State, Step, StepResult, async_trait,
};

use super::cancel::NoCancel;
use super::script;
use super::session::ReferenceSession;
use super::statement::ScriptRun;
use super::store::{Change, Content, Row, session_lost};
use super::{BACKEND, Fault};

/// The number of attempts to run a migration whose tables are locked.
const MAX_ATTEMPTS: u32 = 10;

impl ReferenceSession {
    fn content(&self) -> Result<Content> {
        self.ensure_alive()?;
        self.store.content()
    }

    /// Commits changes if the session still holds the lock.
    fn commit(&self, key: &LockKey, changes: &[Change]) -> Result<()> {
        self.ensure_alive()?;
        let faults_without_check = [
            Fault::WritesWithoutLock,
            Fault::DoesNotRecheckLock,
            Fault::WritesAfterTermination,
            Fault::CachesHolds,
        ];
        if !self.is_valid(key)
            && !faults_without_check
                .into_iter()
                .any(|fault| self.has(fault))
        {
            return Err(Error::new(
                ErrorKind::LockLost,
                format!("the lock {key} was lost"),
            ));
        }
        self.store.commit(changes)
    }

    fn row(&self, step: &Step, state: State, done: u32, total: u32) -> Change {
        let migration = &step.migration;
        let counts = !self.has(Fault::RecordsNoStatementCounts);
        Change::UpsertRow(Row {
            version: migration.key(),
            name: migration.name().to_owned(),
            kind: match migration.kind() {
                Kind::Undo => Kind::Versioned.as_str().to_owned(),
                kind => kind.as_str().to_owned(),
            },
            checksum: match self.fault {
                Some(Fault::RecordsWrongChecksum) => "0".repeat(64),
                _ => migration.checksum().to_string(),
            },
            state: state.as_str().to_owned(),
            applied_at: "2026-01-31T09:30:00Z".into(),
            applied_by: format!("reference@localhost {}", std::process::id()),
            done: if counts { done } else { 0 },
            total: if counts { total } else { 0 },
            run_id: self.options.run_id.clone(),
        })
    }

    /// Returns the history changes of a step whose script has run.
    fn outcome(&self, step: &Step, total: u32) -> Vec<Change> {
        let state = match step.action {
            Action::Undo if self.has(Fault::UndoKeepsAppliedState) => return Vec::new(),
            Action::Undo => State::Undone,
            _ => State::Applied,
        };
        let skipped = self.has(Fault::RunsWithoutRecording)
            || total == 0 && self.has(Fault::SkipsEmptyScripts);
        if skipped {
            Vec::new()
        } else {
            vec![self.row(step, state, total, total)]
        }
    }

    /// Runs a script and records it in one transaction.
    async fn run_in_transaction(
        &self,
        work: &ScriptRun<'_>,
        statements: &[(u32, &str)],
    ) -> Result<StepResult> {
        let mut content = self.content()?;
        let mut changes = Vec::new();
        for statement in statements {
            let change = self.run(work, *statement, &mut content).await?;
            if self.has(Fault::CommitsEachStatement) {
                self.commit(work.key, change.as_slice())?;
            } else {
                changes.extend(change);
            }
        }
        let total = statements.len() as u32;
        changes.extend(self.outcome(work.step, total));
        self.commit(work.key, &changes)?;
        Ok(StepResult::new(total))
    }

    /// Runs and commits each statement separately. The history row is the journal.
    async fn run_autocommit(
        &self,
        work: &ScriptRun<'_>,
        statements: &[(u32, &str)],
    ) -> Result<StepResult> {
        let total = statements.len() as u32;
        let at = |state, done| self.row(work.step, state, done, total);
        let done = match self.content()?.row(&work.step.migration.key()) {
            Some(row) if row.state == "running" || row.state == "failed" => row.done,
            _ => 0,
        };
        let done = if self.has(Fault::RestartsMigration) {
            0
        } else {
            done
        };
        self.commit(work.key, &[at(State::Running, done)])?;
        for (n, statement) in (1..).zip(statements).skip(done as usize) {
            let mut content = self.content()?;
            match self.run(work, *statement, &mut content).await {
                Ok(change) => {
                    let mut changes = Vec::from_iter(change);
                    changes.push(at(State::Running, n));
                    self.commit(work.key, &changes)?;
                }
                Err(error) => {
                    let _ = self.commit(work.key, &[at(State::Failed, n - 1)]);
                    return Err(error);
                }
            }
        }
        self.commit(work.key, &self.outcome(work.step, total))?;
        Ok(StepResult::new(total - done))
    }

    async fn run_script(&self, work: &ScriptRun<'_>) -> Result<StepResult> {
        let mut statements = work.statements();
        match self.fault {
            Some(Fault::RunsScriptTwice) => statements.extend_from_within(..),
            Some(Fault::RecordsWithoutRunning) => statements.clear(),
            Some(Fault::UndoSkipsScript) if work.step.action == Action::Undo => statements.clear(),
            _ => {}
        }
        if work.step.migration.directives().transaction {
            self.run_in_transaction(work, &statements).await
        } else {
            self.run_autocommit(work, &statements).await
        }
    }

    /// Runs a script, and runs it again while a table is locked.
    async fn run_with_retries(
        &self,
        work: &ScriptRun<'_>,
        observer: &dyn Observer,
    ) -> Result<StepResult> {
        for attempt in 2..=MAX_ATTEMPTS {
            self.reset();
            match self.run_script(work).await {
                Err(error) if error.is_temporary() && !self.has(Fault::DoesNotRetryLockTimeout) => {
                    observer.on_event(&Event::Retrying {
                        step: work.step,
                        attempt,
                        message: error.message(),
                    });
                }
                done => return done,
            }
        }
        self.reset();
        self.run_script(work).await
    }

    /// Returns whether the history shows that the step is done.
    fn is_done(&self, step: &Step, content: &Content) -> Result<bool> {
        let migration = &step.migration;
        let row = content.row(&migration.key());
        let applied = row.is_some_and(|row| row.state == State::Applied.as_str());
        let same = row.is_some_and(|row| row.checksum == migration.checksum().to_string());
        if self.has(Fault::RejectsCorrectedMigration)
            && !same
            && row.is_some_and(|row| row.state == "failed")
        {
            return Err(Error::new(
                ErrorKind::Diverged,
                "the failed migration was changed",
            ));
        }
        Ok(match step.action {
            Action::Undo => !applied,
            _ if self.has(Fault::ReappliesAppliedMigration) => false,
            _ if migration.kind() == Kind::Repeatable => {
                applied && (same || self.has(Fault::IgnoresChangedRepeatable))
            }
            _ => applied,
        })
    }

    async fn step(
        &mut self,
        key: &LockKey,
        step: &Step,
        observer: &dyn Observer,
    ) -> Result<StepResult> {
        let content = self.content()?;
        let recorded =
            step.action == Action::MarkApplied && !self.has(Fault::MarkAppliedRunsScript);
        if step.action == Action::DeleteRow {
            if !self.has(Fault::DeleteRowDoesNothing) {
                self.commit(key, &[Change::DeleteRow(step.migration.key())])?;
            }
            return Ok(StepResult::default());
        }
        let text = script::read(&step.migration)?;
        let work = ScriptRun { step, key, text };
        if recorded {
            self.commit(key, &self.outcome(step, work.statements().len() as u32))?;
            return Ok(StepResult::default());
        }
        if self.is_done(step, &content)? {
            return Ok(StepResult::default());
        }
        let done = self.run_with_retries(&work, observer).await;
        if done.is_err() {
            self.failed = true;
            if self.has(Fault::RejectsCorrectedMigration) {
                let _ = self.commit(key, &[self.row(step, State::Failed, 0, 0)]);
            }
        }
        done
    }

    /// Opens a second session without a fault, for [`Fault::ContinuesWhenDropped`].
    fn open_sibling(&self) -> Result<Self> {
        Self::open(self.folder.clone(), None, self.options.clone())
    }
}

#[async_trait]
impl Migrator for ReferenceSession {
    fn capabilities(&self) -> Capabilities {
        BACKEND.capabilities()
    }

    async fn history(&mut self) -> Result<History> {
        let key = LockKey::default();
        if self.has(Fault::ReadNeedsLock)
            && !self.has_acquired(&key)
            && super::lock::holder_session(&self.lock_file(&key))
                .map_err(|error| session_lost(&error))?
                .is_some()
        {
            return Err(Error::new(ErrorKind::Unexpected, "the history is locked"));
        }
        if self.has(Fault::ReadCreatesHistory) {
            self.store.commit(&[Change::CreateHistory])?;
        }
        if let Some(cached_history) = self.cached_history.clone() {
            return Ok(cached_history);
        }
        let mut history = History::default();
        let rows = self.content()?.history.unwrap_or_default();
        history.rows = rows.into_iter().map(Into::into).collect();
        if self.has(Fault::CachesHistory) {
            self.cached_history = Some(history.clone());
        }
        Ok(history)
    }

    async fn ensure_history(&mut self, held: &LockProof) -> Result<()> {
        let change = match self.fault {
            Some(Fault::EnsureHistoryTruncates) => Change::EmptyHistory,
            _ => Change::CreateHistory,
        };
        self.commit(held.key(), &[change])
    }

    async fn apply(
        &mut self,
        held: &LockProof,
        step: &Step,
        observer: &dyn Observer,
    ) -> Result<StepResult> {
        if self.has(Fault::ContinuesWhenDropped) {
            let mut sibling = self.open_sibling()?;
            for handle in self.release_all() {
                sibling.retain(held.key(), handle);
            }
            let (key, step) = (held.key().clone(), step.clone());
            let task = tokio::spawn(async move {
                let done = sibling.step(&key, &step, &NoObserver).await;
                (done, sibling.release(&key))
            });
            let (done, handle) = task.await.map_err(|error| session_lost(&error))?;
            if let Some(handle) = handle {
                self.retain(held.key(), handle);
            }
            return done;
        }
        let applied = self.step(held.key(), step, observer).await?;
        observer.on_event(&Event::Statement {
            done: applied.statements,
            total: applied.statements,
        });
        Ok(applied)
    }

    fn canceller(&self) -> Arc<dyn Canceller> {
        if self.has(Fault::IgnoresCancel) {
            Arc::new(NoCancel)
        } else {
            Arc::new(self.cancel.clone())
        }
    }

    async fn close(self: Box<Self>) -> Result<()> {
        if self.has(Fault::CloseFails) {
            return Err(Error::new(ErrorKind::Unexpected, "closing fails"));
        }
        if self.has(Fault::CloseLeaksLock) {
            self.release_all()
                .into_iter()
                .for_each(super::lock::LockHandle::leak);
        }
        Ok(())
    }
}
