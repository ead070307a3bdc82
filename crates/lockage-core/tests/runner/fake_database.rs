//! A database in memory that records calls and injects delays and errors.

use std::cell::RefCell;
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

/// A database. Sessions are numbered from one; session zero is the test itself.
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
    /// The files of the committed scripts.
    pub(crate) committed: Vec<String>,
    /// All calls, with the number of the session.
    calls: Vec<(u32, &'static str)>,
    /// Errors for the next calls with this name, one for each call.
    failures: Vec<(&'static str, Error)>,
    /// The duration of calls with this name.
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
        record_check(migration);
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

thread_local! {
    /// The files of the scripts that were checked on this thread. A check knows no database, so the list is global; each
    /// test with the paused clock runs on its own thread.
    static CHECKED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn record_check(migration: &lockage_core::Migration) {
    CHECKED.with_borrow_mut(|checked| checked.push(migration.file().to_owned()));
}

/// Returns the files of the scripts that were checked since the last request.
pub(crate) fn checked_scripts() -> String {
    CHECKED.take().join(" ").replace(".sql", "")
}

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
    session.begin_call("connect").await?;
    Ok(Box::new(session))
}

impl FakeDatabase {
    pub(crate) fn state(&self) -> MutexGuard<'_, FakeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a call, waits for its duration, and returns its error, if any.
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

    /// Awaits `work` like a statement that can be cancelled.
    pub(crate) async fn with_cancel(&self, work: impl Future<Output = ()>) -> Result<()> {
        tokio::select! {
            () = work => Ok(()),
            () = self.cancelled.notified() => {
                Err(Error::new(ErrorKind::MigrationFailed, "the statement was cancelled"))
            }
        }
    }

    /// Returns the calls since the last request, with their sessions: `1 connect`, `1 history`.
    pub(crate) fn calls(&self) -> Vec<String> {
        let calls = std::mem::take(&mut self.state().calls);
        calls
            .iter()
            .map(|(session, name)| format!("{session} {name}"))
            .collect()
    }

    /// Returns the calls since the last request, without their sessions.
    pub(crate) fn call_names(&self) -> String {
        let calls = std::mem::take(&mut self.state().calls);
        let names: Vec<&str> = calls.iter().map(|(_, name)| *name).collect();
        names.join(" ")
    }

    /// Makes the next call with this name fail.
    pub(crate) fn fail(&self, name: &'static str, error: Error) {
        self.state().failures.push((name, error));
    }

    /// Sets the duration of calls with this name.
    pub(crate) fn slow(&self, name: &'static str, time: Duration) {
        self.state().slow.insert(name, time);
    }

    /// Acquires the lock for another session.
    pub(crate) fn hold(&self) {
        assert_eq!(self.state().holder.replace(0), None);
    }

    /// Releases the lock of the other session.
    pub(crate) fn free(&self) {
        assert_eq!(self.state().holder.take(), Some(0));
    }

    /// Writes the rows of migrations that another session applied.
    pub(crate) fn write(&self, set: &MigrationSet) {
        let rows = set.iter().map(|migration| row(migration, State::Applied));
        self.state().rows.extend(rows);
    }

    /// Creates another runner for the same database.
    pub(crate) fn runner(&self, files: &[(&str, &str)]) -> Runner {
        let url = databases()
            .iter()
            .find(|(_, database)| std::ptr::eq(Arc::as_ptr(database), self))
            .map(|(url, _)| url.clone());
        runner(&url.unwrap(), files)
    }

    /// Returns the files of the committed scripts, in order.
    pub(crate) fn committed(&self) -> String {
        self.state().committed.join(" ")
    }

    /// Asserts that the lock is free and no session is open.
    #[track_caller]
    pub(crate) fn assert_unlocked_and_idle(&self) {
        let state = self.state();
        assert_eq!((state.holder, &state.open), (None, &Vec::new()));
    }
}

/// Creates a row like a backend.
pub(crate) fn row(migration: &lockage_core::Migration, state: State) -> HistoryRow {
    let checksum = migration.checksum().to_string();
    let (key, name, kind) = (migration.key(), migration.name(), migration.kind());
    let mut row = HistoryRow::new(key, name, kind, checksum, state);
    (row.statements_done, row.statements_total) = (1, 1);
    row.run_id = "0123456789abcdef".into();
    row
}

/// Creates a runner for a database and files.
fn runner(url: &str, files: &[(&str, &str)]) -> Runner {
    let registry = Registry::default().with(BACKEND).unwrap();
    Runner::new(registry, ConnectOptions::new(url).unwrap(), set(files))
}

/// Creates a database and a runner for files.
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

/// Runs the other tasks until they wait. The clock does not advance.
pub(crate) async fn run_other_tasks() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}
