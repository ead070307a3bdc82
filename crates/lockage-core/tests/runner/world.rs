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

use crate::session::MemorySession;

/// A database. Its sessions are numbered from one; session zero is the test itself.
#[derive(Debug, Default)]
pub(crate) struct World {
    facts: Mutex<Facts>,
    pub(crate) cancelled: Notify,
}

#[derive(Debug, Default)]
pub(crate) struct Facts {
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

static WORLDS: OnceLock<Mutex<HashMap<String, Arc<World>>>> = OnceLock::new();

fn worlds() -> MutexGuard<'static, HashMap<String, Arc<World>>> {
    WORLDS.get_or_init(Mutex::default).lock().unwrap()
}

const MEMORY: Backend = Backend::new(
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
                each(lockage_core::ParsedStatement {
                    text: &text,
                    line: 1,
                });
                Ok(())
            }
        }
    },
);

async fn connect(options: &ConnectOptions) -> Result<Box<dyn lockage_core::Session>> {
    let world = Arc::clone(&worlds()[options.url.as_secret_str()]);
    let session = {
        let mut facts = world.facts();
        facts.last_session += 1;
        let session = facts.last_session;
        facts.open.push(session);
        session
    };
    let session = MemorySession { world, session };
    session.begin("connect").await?;
    Ok(Box::new(session))
}

impl World {
    pub(crate) fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call begins: it is noted, takes its time, and fails if it is to.
    pub(crate) async fn called(&self, session: u32, name: &'static str) -> Result<()> {
        let (slow, failure) = {
            let mut facts = self.facts();
            facts.calls.push((session, name));
            let at = facts.failures.iter().position(|(of, _)| *of == name);
            (
                facts.slow.get(name).copied(),
                at.map(|at| facts.failures.remove(at).1),
            )
        };
        tokio::task::yield_now().await;
        if let Some(time) = slow {
            self.unless_cancelled(tokio::time::sleep(time)).await?;
        }
        failure.map_or(Ok(()), Err)
    }

    /// Waits as a statement does, which a cancel request ends.
    pub(crate) async fn unless_cancelled(&self, work: impl Future<Output = ()>) -> Result<()> {
        tokio::select! {
            () = work => Ok(()),
            () = self.cancelled.notified() => {
                Err(Error::new(ErrorKind::MigrationFailed, "the statement was cancelled"))
            }
        }
    }

    /// The calls since the last look: `1 connect`, `1 history`.
    pub(crate) fn calls(&self) -> Vec<String> {
        let calls = std::mem::take(&mut self.facts().calls);
        calls
            .iter()
            .map(|(session, name)| format!("{session} {name}"))
            .collect()
    }

    /// The calls since the last look, without the numbers of sessions.
    pub(crate) fn call_names(&self) -> String {
        let calls = std::mem::take(&mut self.facts().calls);
        let names: Vec<&str> = calls.iter().map(|(_, name)| *name).collect();
        names.join(" ")
    }

    /// Lets the next call of a name fail.
    pub(crate) fn fail(&self, name: &'static str, error: Error) {
        self.facts().failures.push((name, error));
    }

    /// Lets the calls of a name take their time.
    pub(crate) fn slow(&self, name: &'static str, time: Duration) {
        self.facts().slow.insert(name, time);
    }

    /// Takes the lock for somebody else.
    pub(crate) fn hold(&self) {
        assert_eq!(self.facts().holder.replace(0), None);
    }

    /// Gives the lock of somebody else back.
    pub(crate) fn free(&self) {
        assert_eq!(self.facts().holder.take(), Some(0));
    }

    /// Writes what somebody else has applied.
    pub(crate) fn write(&self, set: &MigrationSet) {
        let rows = set.iter().map(|migration| row(migration, State::Applied));
        self.facts().rows.extend(rows);
    }

    /// Another runner for the same database.
    pub(crate) fn runner(&self, files: &[(&str, &str)]) -> Runner {
        let url = worlds()
            .iter()
            .find(|(_, world)| std::ptr::eq(Arc::as_ptr(world), self))
            .map(|(url, _)| url.clone());
        runner(&url.unwrap(), files)
    }

    /// The files of the scripts that were committed, in order.
    pub(crate) fn committed(&self) -> String {
        self.facts().committed.join(" ")
    }

    /// Nobody holds the lock and no session stands.
    #[track_caller]
    pub(crate) fn assert_left_alone(&self) {
        let facts = self.facts();
        assert_eq!((facts.holder, &facts.open), (None, &Vec::new()));
    }
}

/// A row as a backend writes it.
pub(crate) fn row(migration: &lockage_core::Migration, state: State) -> HistoryRow {
    HistoryRow {
        version: migration.key(),
        name: migration.name().to_owned(),
        kind: migration.kind(),
        checksum: migration.checksum().to_string(),
        state,
        applied_at: "2026-01-31T09:30:00Z".into(),
        applied_by: "app@host 1".into(),
        duration_ms: 1,
        statements_done: 1,
        statements_total: 1,
        run_id: "0123456789abcdef".into(),
        tool_version: "0.1.0".into(),
    }
}

/// A runner for a database and some files.
fn runner(url: &str, files: &[(&str, &str)]) -> Runner {
    let registry = Registry::default().with(MEMORY).unwrap();
    Runner::new(registry, ConnectOptions::new(url).unwrap(), set(files))
}

/// A new database with a runner for some files.
pub(crate) fn world(files: &[(&str, &str)]) -> (Arc<World>, Runner) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let url = format!("memory:{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let world = Arc::<World>::default();
    let runner = runner(&url, files);
    worlds().insert(url, Arc::clone(&world));
    (world, runner)
}

pub(crate) fn set(files: &[(&str, &str)]) -> MigrationSet {
    let files = files
        .iter()
        .map(|(name, text)| (format!("{name}.sql"), *text));
    MigrationSet::from_texts(files).unwrap()
}

/// Lets every other task come to rest. No time passes.
pub(crate) async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}
