//! A database in memory, with what the tests want to know of it and do to it.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use lockage_core::{
    Backend, Capabilities, ConnectOptions, Error, ErrorKind, HistoryRow, MigrationSet, Registry,
    Result, Runner, State,
};
use tokio::sync::Notify;

use crate::fake_session::FakeSession;

/// A database. Its sessions are numbered from one; session zero is the test itself.
#[derive(Debug, Default)]
pub(crate) struct FakeDatabase {
    state: Mutex<FakeState>,
    pub(crate) cancelled: Notify,
}

#[derive(Debug, Default)]
pub(crate) struct FakeState {
    pub(crate) last_session: u32,
    pub(crate) open: Vec<u32>,
    pub(crate) holder: Option<u32>,
    pub(crate) has_table: bool,
    pub(crate) rows: Vec<HistoryRow>,
    /// Every script that was committed, by its file.
    pub(crate) committed: Vec<String>,
    /// Every call, with the number of its session.
    calls: Vec<(u32, &'static str)>,
    /// What the next calls of a name fail with, one each.
    failures: Vec<(&'static str, Error)>,
    /// How long the calls of a name take.
    slow: HashMap<&'static str, Duration>,
}

static DATABASES: OnceLock<Mutex<HashMap<String, Arc<FakeDatabase>>>> = OnceLock::new();

fn databases() -> MutexGuard<'static, HashMap<String, Arc<FakeDatabase>>> {
    DATABASES.get_or_init(Mutex::default).lock().unwrap()
}

const BACKEND: Backend = Backend::new(
    "memory",
    &["memory"],
    Capabilities::new(true, "a field in memory").single_process(),
    |options| Box::pin(connect(options)),
    |migration, each| {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut migration.open()?, &mut text).unwrap();
        match text.lines().position(|line| line == "nonsense") {
            Some(line) => Err(Error::new(
                ErrorKind::InvalidMigration,
                format!("nonsense in line {} of {}", line + 1, migration.file()),
            )),
            None => {
                each(lockage_core::ParsedStatement::new(&text, 1));
                Ok(())
            }
        }
    },
);

async fn connect(options: &ConnectOptions) -> Result<Box<dyn lockage_core::Session>> {
    let database = Arc::clone(&databases()[options.url.as_secret_str()]);
    let session = {
        let mut state = database.state();
        state.last_session += 1;
        let session = state.last_session;
        state.open.push(session);
        session
    };
    let session = FakeSession { database, session };
    session.begin("connect").await?;
    Ok(Box::new(session))
}

impl FakeDatabase {
    pub(crate) fn state(&self) -> MutexGuard<'_, FakeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call begins: it is noted, takes its time, and fails if it is to.
    pub(crate) async fn record_call(&self, session: u32, name: &'static str) -> Result<()> {
        let (slow, failure) = {
            let mut state = self.state();
            state.calls.push((session, name));
            let at = state.failures.iter().position(|(of, _)| *of == name);
            (
                state.slow.get(name).copied(),
                at.map(|at| state.failures.remove(at).1),
            )
        };
        tokio::task::yield_now().await;
        if let Some(time) = slow {
            self.with_cancel(tokio::time::sleep(time)).await?;
        }
        failure.map_or(Ok(()), Err)
    }

    /// Waits as a statement does, which a cancel request ends.
    pub(crate) async fn with_cancel(&self, work: impl Future<Output = ()>) -> Result<()> {
        tokio::select! {
            () = work => Ok(()),
            () = self.cancelled.notified() => {
                Err(Error::new(ErrorKind::MigrationFailed, "the statement was cancelled"))
            }
        }
    }

    /// The calls since the last look: `1 connect`, `1 history`.
    pub(crate) fn calls(&self) -> Vec<String> {
        let calls = std::mem::take(&mut self.state().calls);
        calls
            .iter()
            .map(|(session, name)| format!("{session} {name}"))
            .collect()
    }

    /// The calls since the last look, without the numbers of sessions.
    pub(crate) fn call_names(&self) -> String {
        let calls = std::mem::take(&mut self.state().calls);
        let names: Vec<&str> = calls.iter().map(|(_, name)| *name).collect();
        names.join(" ")
    }

    /// Lets the next call of a name fail.
    pub(crate) fn fail(&self, name: &'static str, error: Error) {
        self.state().failures.push((name, error));
    }

    /// Lets the calls of a name take their time.
    pub(crate) fn slow(&self, name: &'static str, time: Duration) {
        self.state().slow.insert(name, time);
    }

    /// Takes the lock for somebody else.
    pub(crate) fn hold(&self) {
        assert_eq!(self.state().holder.replace(0), None);
    }

    /// Gives the lock of somebody else back.
    pub(crate) fn free(&self) {
        assert_eq!(self.state().holder.take(), Some(0));
    }

    /// Writes what somebody else has applied.
    pub(crate) fn write(&self, set: &MigrationSet) {
        let rows = set.iter().map(|migration| row(migration, State::Applied));
        self.state().rows.extend(rows);
    }

    /// Another runner for the same database.
    pub(crate) fn runner(&self, files: &[(&str, &str)]) -> Runner {
        let url = databases()
            .iter()
            .find(|(_, database)| std::ptr::eq(Arc::as_ptr(database), self))
            .map(|(url, _)| url.clone());
        runner(&url.unwrap(), files)
    }

    /// The files of the scripts that were committed, in order.
    pub(crate) fn committed(&self) -> String {
        self.state().committed.join(" ")
    }

    /// Nobody holds the lock and no session stands.
    #[track_caller]
    pub(crate) fn assert_unlocked_and_idle(&self) {
        let state = self.state();
        assert_eq!((state.holder, &state.open), (None, &Vec::new()));
    }
}

/// A row as a backend writes it.
pub(crate) fn row(migration: &lockage_core::Migration, state: State) -> HistoryRow {
    let checksum = migration.checksum().to_string();
    let (key, name, kind) = (migration.key(), migration.name(), migration.kind());
    let mut row = HistoryRow::new(key, name, kind, checksum, state);
    (row.statements_done, row.statements_total) = (1, 1);
    row.run_id = "0123456789abcdef".into();
    row
}

/// A runner for a database and some files.
fn runner(url: &str, files: &[(&str, &str)]) -> Runner {
    let registry = Registry::default().with(BACKEND).unwrap();
    Runner::new(registry, ConnectOptions::new(url).unwrap(), set(files))
}

/// A new database with a runner for some files.
pub(crate) fn fake_database(files: &[(&str, &str)]) -> (Arc<FakeDatabase>, Runner) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let url = format!("memory:{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let database = Arc::<FakeDatabase>::default();
    let runner = runner(&url, files);
    databases().insert(url, Arc::clone(&database));
    (database, runner)
}

pub(crate) fn set(files: &[(&str, &str)]) -> MigrationSet {
    let files = files
        .iter()
        .map(|(name, text)| (format!("{name}.sql"), *text));
    MigrationSet::from_texts(files).unwrap()
}

/// Lets every other task come to rest. No time passes.
pub(crate) async fn run_other_tasks() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}
