//! A session of a [`FakeDatabase`]. The lines of its scripts are commands: `takes 20 s`, `fails`, `panics`.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use lockage_core::{
    Action, Canceller, Capabilities, Error, ErrorKind, Event, History, HistoryRow, LockHolder,
    LockKey, LockProof, LockProvider, Migrator, Observer, Result, State, Step, StepResult,
    async_trait,
};

use crate::fake_database::{FakeDatabase, row};

#[derive(Debug)]
pub(crate) struct FakeSession {
    pub(crate) database: Arc<FakeDatabase>,
    pub(crate) session: u32,
}

impl FakeSession {
    pub(crate) async fn begin_call(&self, name: &'static str) -> Result<()> {
        self.database.record_call(self.session, name).await
    }

    fn is_holder(&self) -> bool {
        self.database.state().holder == Some(self.session)
    }

    fn check_held(&self) -> Result<()> {
        if self.is_holder() {
            Ok(())
        } else {
            Err(Error::new(ErrorKind::LockLost, "the lock is not held"))
        }
    }

    async fn run(&self, script: &str, observer: &dyn Observer) -> Result<()> {
        for (line, done) in script.lines().zip(1..) {
            tokio::task::yield_now().await;
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["takes", seconds, "s"] => {
                    let time = Duration::from_secs(seconds.parse().unwrap());
                    self.database.with_cancel(tokio::time::sleep(time)).await?;
                }
                ["hangs"] => std::future::pending::<()>().await,
                ["fails"] => return Err(Error::new(ErrorKind::MigrationFailed, "it failed")),
                ["panics"] => panic!("the backend panicked"),
                ["loses", "the", "lock"] => self.database.state().holder = None,
                ["loses", "the", "session"] => {
                    return Err(Error::new(ErrorKind::SessionLost, "the connection broke"));
                }
                _ => {}
            }
            observer.on_event(&Event::Statement { done, total: 1 });
        }
        self.check_held()
    }
}

impl FakeSession {
    /// Commits the script and its row together.
    fn commit(&self, step: &Step, new: Option<State>) {
        let mut state = self.database.state();
        assert!(state.has_table);
        let same = |row: &HistoryRow| row.version == step.migration.key();
        if let Action::Apply | Action::Undo = step.action {
            let is_done = state
                .rows
                .iter()
                .any(|row| same(row) && Some(&row.state) == new.as_ref());
            assert!(!is_done, "{} is applied twice", step.migration);
            let file = step.migration.file().trim_end_matches(".sql").to_owned();
            state.committed.push(file);
        }
        state.rows.retain(|row| !same(row));
        state
            .rows
            .extend(new.map(|state| row(&step.migration, state)));
    }
}

/// The end of a session frees its lock.
impl Drop for FakeSession {
    fn drop(&mut self) {
        let mut state = self.database.state();
        state.open.retain(|session| *session != self.session);
        if state.holder == Some(self.session) {
            state.holder = None;
        }
    }
}

#[async_trait]
impl LockProvider for FakeSession {
    async fn try_lock(&mut self, _: &LockKey) -> Result<bool> {
        self.begin_call("try_lock").await?;
        let free = {
            let mut state = self.database.state();
            *state.holder.get_or_insert(self.session) == self.session
        };
        // If the future is dropped here, the session holds the lock and the caller does not know it.
        tokio::task::yield_now().await;
        Ok(free)
    }

    async fn holds(&mut self, _: &LockKey) -> Result<bool> {
        self.begin_call("holds").await?;
        Ok(self.is_holder())
    }

    async fn unlock(&mut self, _: &LockKey) -> Result<()> {
        self.begin_call("unlock").await?;
        self.check_held()?;
        self.database.state().holder = None;
        tokio::task::yield_now().await;
        Ok(())
    }

    async fn holder(&mut self, _: &LockKey) -> Result<Option<LockHolder>> {
        self.begin_call("holder").await?;
        let holder = self.database.state().holder;
        Ok(holder.map(|session| {
            let mut holder = LockHolder::default();
            holder.user = Some("app".into());
            holder.host = Some("replica-7".into());
            holder.session = Some(session.to_string());
            holder.since = Some("2026-01-31T09:30:00Z".into());
            holder.migration = Some("3 orders".into());
            holder
        }))
    }
}

#[async_trait]
impl Migrator for FakeSession {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new(true, "a field in memory").single_process()
    }

    async fn history(&mut self) -> Result<History> {
        self.begin_call("history").await?;
        let rows = self.database.state().rows.clone();
        tokio::task::yield_now().await;
        Ok(History::new(rows))
    }

    async fn ensure_history(&mut self, _: &LockProof) -> Result<()> {
        self.begin_call("ensure_history").await?;
        self.check_held()?;
        self.database.state().has_table = true;
        tokio::task::yield_now().await;
        Ok(())
    }

    async fn apply(
        &mut self,
        _: &LockProof,
        step: &Step,
        observer: &dyn Observer,
    ) -> Result<StepResult> {
        self.begin_call("apply").await?;
        self.check_held()?;
        let new = match step.action {
            Action::Undo => Some(State::Undone),
            Action::DeleteRow => None,
            _ => Some(State::Applied),
        };
        if let Action::Apply | Action::Undo = step.action {
            let mut script = String::new();
            step.migration.open()?.read_to_string(&mut script).unwrap();
            self.run(&script, observer).await?;
        }
        self.commit(step, new);
        tokio::task::yield_now().await;
        Ok(StepResult::new(1))
    }

    fn canceller(&self) -> Arc<dyn Canceller> {
        Arc::new(FakeCanceller {
            database: Arc::clone(&self.database),
            session: self.session,
        })
    }

    async fn close(self: Box<Self>) -> Result<()> {
        self.begin_call("close").await
    }
}

#[derive(Debug)]
struct FakeCanceller {
    database: Arc<FakeDatabase>,
    session: u32,
}

#[async_trait]
impl Canceller for FakeCanceller {
    async fn cancel(&self) -> Result<()> {
        self.database.record_call(self.session, "cancel").await?;
        // The request reaches only the statement that is running now.
        self.database.cancelled.notify_waiters();
        Ok(())
    }
}
