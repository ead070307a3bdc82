use std::sync::Arc;

use lockage_core::{
    Action, Canceller, Capabilities, Error, ErrorKind, Event, History, Kind, Location, LockKey,
    LockProof, Migrator, Observer, Result, State, Step, StepResult, async_trait,
};

use super::cancel::NoCancel;
use super::script::{self, Command};
use super::session::{ReferenceSession, until};
use super::store::{Change, Content, Row, lost};
use super::{BACKEND, Flaw, marker};

/// A step in hand.
struct Work<'a> {
    step: &'a Step,
    key: &'a LockKey,
    text: String,
}

impl Work<'_> {
    fn statements(&self) -> Vec<(u32, &str)> {
        script::statements(&self.text).collect()
    }

    fn location(&self, line: u32) -> Location {
        Location::at(self.step.migration.file(), line, 1)
    }
}

impl ReferenceSession {
    fn content(&self) -> Result<Content> {
        self.alive()?;
        self.store.content()
    }

    /// Commits, if the lock is still held.
    fn commit(&self, key: &LockKey, changes: &[Change]) -> Result<()> {
        self.alive()?;
        let unasked = [
            Flaw::WritesUnlocked,
            Flaw::NeverLooksBack,
            Flaw::WritesAfterTheEnd,
            Flaw::HoldsFromMemory,
        ];
        if !self.is_firm(key) && !unasked.into_iter().any(|flaw| self.has(flaw)) {
            return Err(Error::new(
                ErrorKind::LockLost,
                format!("the lock {key} got lost"),
            ));
        }
        self.store.commit(changes)
    }

    fn row(&self, step: &Step, state: State, done: u32, total: u32) -> Change {
        let migration = &step.migration;
        let counts = !self.has(Flaw::CountsNothing);
        Change::PutRow(Row {
            version: migration.key(),
            name: migration.name().to_owned(),
            kind: match migration.kind() {
                Kind::Undo => Kind::Versioned.as_str().to_owned(),
                kind => kind.as_str().to_owned(),
            },
            checksum: match self.flaw {
                Some(Flaw::WrongChecksum) => "0".repeat(64),
                _ => migration.checksum().to_string(),
            },
            state: state.as_str().to_owned(),
            applied_at: "2026-01-31T09:30:00Z".into(),
            applied_by: format!("nobody@nowhere {}", std::process::id()),
            done: if counts { done } else { 0 },
            total: if counts { total } else { 0 },
            run_id: self.run_id.clone(),
        })
    }

    /// What a step comes to when its script has run.
    fn outcome(&self, step: &Step, total: u32) -> Vec<Change> {
        let state = match step.action {
            Action::Undo if self.has(Flaw::UndoneStaysApplied) => return Vec::new(),
            Action::Undo => State::Undone,
            _ => State::Applied,
        };
        let skipped =
            self.has(Flaw::RunsWithoutRecording) || total == 0 && self.has(Flaw::SkipsEmptyScripts);
        if skipped {
            Vec::new()
        } else {
            vec![self.row(step, state, total, total)]
        }
    }

    /// Runs one statement against a copy of the database, and says what it changes.
    async fn run(
        &self,
        work: &Work<'_>,
        (line, statement): (u32, &str),
        content: &mut Content,
    ) -> Result<Option<Change>> {
        tokio::task::yield_now().await;
        self.alive()?;
        match script::parse(statement, work.step.migration.file(), line)? {
            Command::Change(change) => {
                match content.change(&change) {
                    Ok(()) => Ok(Some(change)),
                    Err(why) => Err(Error::new(ErrorKind::MigrationFailed, why)
                        .with_location(work.location(line))),
                }
            }
            Command::GiveUp => {
                drop(self.let_go_of_all());
                Ok(None)
            }
            Command::Barrier(barrier) => {
                let closed = marker::closed(&self.folder, &barrier);
                if closed.exists() {
                    std::fs::write(marker::reached(&self.folder, &barrier), "")
                        .map_err(|error| lost(&error))?;
                }
                let ended = marker::ended(&self.folder, &self.id);
                tokio::select! {
                    () = until(&closed, false) => Ok(None),
                    () = until(&ended, true) => {
                        Err(Error::new(ErrorKind::SessionLost, "the session was ended"))
                    }
                    () = self.cancel.0.notified() => {
                        Err(Error::new(ErrorKind::MigrationFailed, "cancelled")
                            .with_location(work.location(line)))
                    }
                }
            }
        }
    }

    /// Script and row in one transaction.
    async fn run_in_one(&self, work: &Work<'_>, statements: &[(u32, &str)]) -> Result<StepResult> {
        let mut content = self.content()?;
        let mut changes = Vec::new();
        for statement in statements {
            let change = self.run(work, *statement, &mut content).await?;
            if self.has(Flaw::HalfApplies) {
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

    /// Each statement by itself, with the row as its journal.
    async fn run_each(&self, work: &Work<'_>, statements: &[(u32, &str)]) -> Result<StepResult> {
        let total = statements.len() as u32;
        let at = |state, done| self.row(work.step, state, done, total);
        let done = match self.content()?.row(&work.step.migration.key()) {
            Some(row) if row.state == "running" || row.state == "failed" => row.done,
            _ => 0,
        };
        let done = if self.has(Flaw::StartsOver) { 0 } else { done };
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

    async fn run_script(&self, work: &Work<'_>) -> Result<StepResult> {
        let mut statements = work.statements();
        match self.flaw {
            Some(Flaw::AppliesTwice) => statements.extend_from_within(..),
            Some(Flaw::RecordsWithoutRunning) => statements.clear(),
            Some(Flaw::UndoRunsNothing) if work.step.action == Action::Undo => statements.clear(),
            _ => {}
        }
        if work.step.migration.directives().transaction {
            self.run_in_one(work, &statements).await
        } else {
            self.run_each(work, &statements).await
        }
    }

    /// Whether the history says that there is nothing left to do.
    fn is_done(&self, step: &Step, content: &Content) -> Result<bool> {
        let migration = &step.migration;
        let row = content.row(&migration.key());
        let applied = row.is_some_and(|row| row.state == State::Applied.as_str());
        let same = row.is_some_and(|row| row.checksum == migration.checksum().to_string());
        if self.has(Flaw::RefusesCorrections)
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
            _ if self.has(Flaw::AppliesWhatIsApplied) => false,
            _ if migration.kind() == Kind::Repeatable => {
                applied && (same || self.has(Flaw::RepeatsNothing))
            }
            _ => applied,
        })
    }

    async fn step(&mut self, key: &LockKey, step: &Step) -> Result<StepResult> {
        let content = self.content()?;
        let recorded = step.action == Action::MarkApplied && !self.has(Flaw::RecordingRuns);
        if step.action == Action::DeleteRow {
            if !self.has(Flaw::ForgetsNothing) {
                self.commit(key, &[Change::ForgetRow(step.migration.key())])?;
            }
            return Ok(StepResult::default());
        }
        let text = script::read(&step.migration)?;
        let work = Work { step, key, text };
        if recorded {
            self.commit(key, &self.outcome(step, work.statements().len() as u32))?;
            return Ok(StepResult::default());
        }
        if self.is_done(step, &content)? {
            return Ok(StepResult::default());
        }
        let done = self.run_script(&work).await;
        if done.is_err() {
            self.failed = true;
            if self.has(Flaw::RefusesCorrections) {
                let _ = self.commit(key, &[self.row(step, State::Failed, 0, 0)]);
            }
        }
        done
    }

    /// The same backend once more, for the flaw that works on when nobody waits for it.
    fn double(&self) -> Result<Self> {
        Self::open(self.folder.clone(), None, self.run_id.clone())
    }
}

#[async_trait]
impl Migrator for ReferenceSession {
    fn capabilities(&self) -> Capabilities {
        BACKEND.capabilities()
    }

    async fn history(&mut self) -> Result<History> {
        let key = LockKey::default();
        if self.has(Flaw::ReadingNeedsTheLock)
            && !self.has_taken(&key)
            && super::lock::note(&self.lock_file(&key))
                .map_err(|error| lost(&error))?
                .is_some()
        {
            return Err(Error::new(ErrorKind::Unexpected, "the history is locked"));
        }
        if self.has(Flaw::ReadingWrites) {
            self.store.commit(&[Change::MakeHistory])?;
        }
        if let Some(remembered) = self.remembered.clone() {
            return Ok(remembered);
        }
        let mut history = History::default();
        let rows = self.content()?.history.unwrap_or_default();
        history.rows = rows.into_iter().map(Into::into).collect();
        if self.has(Flaw::RemembersTheHistory) {
            self.remembered = Some(history.clone());
        }
        Ok(history)
    }

    async fn ensure_history(&mut self, held: &LockProof) -> Result<()> {
        let change = match self.flaw {
            Some(Flaw::MakingEmpties) => Change::EmptyHistory,
            _ => Change::MakeHistory,
        };
        self.commit(held.key(), &[change])
    }

    async fn apply(
        &mut self,
        held: &LockProof,
        step: &Step,
        observer: &dyn Observer,
    ) -> Result<StepResult> {
        if self.has(Flaw::GoesOnWhenDropped) {
            let mut double = self.double()?;
            for grip in self.let_go_of_all() {
                double.keep(held.key(), grip);
            }
            let (key, step) = (held.key().clone(), step.clone());
            let gone_on = tokio::spawn(async move {
                let done = double.step(&key, &step).await;
                (done, double.let_go(&key))
            });
            let (done, grip) = gone_on.await.map_err(|error| lost(&error))?;
            if let Some(grip) = grip {
                self.keep(held.key(), grip);
            }
            return done;
        }
        let applied = self.step(held.key(), step).await?;
        observer.on_event(&Event::Statement {
            done: applied.statements,
            total: applied.statements,
        });
        Ok(applied)
    }

    fn canceller(&self) -> Arc<dyn Canceller> {
        if self.has(Flaw::IgnoresCancel) {
            Arc::new(NoCancel)
        } else {
            Arc::new(self.cancel.clone())
        }
    }

    async fn close(self: Box<Self>) -> Result<()> {
        if self.has(Flaw::CloseFails) {
            return Err(Error::new(ErrorKind::Unexpected, "closing fails"));
        }
        if self.has(Flaw::LeaksOnClose) {
            self.let_go_of_all()
                .into_iter()
                .for_each(super::lock::Grip::leak);
        }
        Ok(())
    }
}
