//! The conformance suite on SQLite files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lockage_core::LockKey;
use lockage_sqlite::BACKEND;
use lockage_testkit::{Failure, Fixture, Gate, Need, async_trait, unique_name};
use rusqlite::{Connection, ErrorCode};

struct Sqlite {
    folder: tempfile::TempDir,
    journal_mode: Option<String>,
}

#[async_trait]
impl Fixture for Sqlite {
    fn lacks(&self, need: Need) -> Option<String> {
        match need {
            Need::Engine
            | Need::Gate
            | Need::TakeAwayLock
            | Need::NoticesDeadClient
            | Need::Processes => None,
            Need::GiveUpLock => Some("no statement of SQLite touches a file lock".into()),
            Need::EndSession => Some("SQLite has no server that could end a session".into()),
            need => Some(format!("{need:?} is not known to this fixture")),
        }
    }

    async fn create_database(&self) -> Result<String, Failure> {
        let folder = self.folder.path().join(unique_name("sqlite"));
        std::fs::create_dir(&folder)?;
        let path = folder.join("app.db");
        // A fresh database of the default mode is no file at all.
        if let Some(mode) = &self.journal_mode {
            open(&path)?.pragma_update(None, "journal_mode", mode)?;
        }
        Ok(format!("sqlite:{}", path.display()))
    }

    async fn drop_database(&self, url: &str) -> Result<(), Failure> {
        let path = path(url);
        Ok(std::fs::remove_dir_all(path.parent().ok_or("no folder")?)?)
    }

    async fn tables(&self, url: &str) -> Result<Vec<String>, Failure> {
        let client = client(url)?;
        let mut names = client.prepare(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
        )?;
        let names = names.query_map((), |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    }

    async fn rows(&self, url: &str, table: &str) -> Result<Vec<i64>, Failure> {
        let client = client(url)?;
        let mut rows = client.prepare(&format!("SELECT n FROM {table} ORDER BY n"))?;
        let rows = rows.query_map((), |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    async fn execute(&self, url: &str, statement: &str) -> Result<(), Failure> {
        Ok(client(url)?.execute_batch(statement)?)
    }

    /// Counts to the number in the database's header, which is zero unless the gate is closed.
    fn gate(&self, _gate: &str) -> Result<String, Failure> {
        Ok(
            "SELECT count(*) FROM (WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r \
            WHERE n < (SELECT user_version FROM pragma_user_version)) SELECT n FROM r)"
                .into(),
        )
    }

    async fn close_gate(&self, url: &str, _gate: &str) -> Result<Box<dyn Gate>, Failure> {
        client(url)?.pragma_update(None, "user_version", i32::MAX)?;
        Ok(Box::new(HeaderGate { path: path(url) }))
    }

    async fn take_away_lock(&self, url: &str, key: &LockKey) -> Result<(), Failure> {
        let mut lock = path(url).into_os_string();
        lock.push(format!("-lockage-{key}.lock"));
        Ok(std::fs::remove_file(lock)?)
    }
}

struct HeaderGate {
    path: PathBuf,
}

#[async_trait]
impl Gate for HeaderGate {
    async fn reached(&self) -> Result<(), Failure> {
        // SQLite does not tell what others run: the holder's note names a migration, and its transaction keeps writers out.
        while !(self.noted()? && is_written(&self.path)?) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    async fn open(self: Box<Self>) -> Result<(), Failure> {
        Ok(open(&self.path)?.pragma_update(None, "user_version", 0)?)
    }
}

impl HeaderGate {
    fn noted(&self) -> Result<bool, Failure> {
        for entry in self.path.parent().ok_or("no folder")?.read_dir()? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "lock")
            {
                let note = std::fs::read_to_string(path)?;
                // The first migration of every case makes the tables; the gate stands in a later one.
                return Ok(note.lines().any(|line| {
                    line.strip_prefix("migration=")
                        .is_some_and(|m| !m.is_empty() && !m.starts_with("1 "))
                }));
            }
        }
        Ok(false)
    }
}

fn is_written(path: &Path) -> Result<bool, Failure> {
    let client = Connection::open(path)?;
    client.busy_timeout(Duration::ZERO)?;
    match client.execute_batch("BEGIN IMMEDIATE; ROLLBACK") {
        Ok(()) => Ok(false),
        Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == ErrorCode::DatabaseBusy => {
            Ok(true)
        }
        Err(error) => Err(error.into()),
    }
}

fn path(url: &str) -> PathBuf {
    PathBuf::from(url.trim_start_matches("sqlite:"))
}

fn client(url: &str) -> Result<Connection, Failure> {
    Ok(open(&path(url))?)
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let client = Connection::open(path)?;
    client.busy_timeout(Duration::from_secs(60))?;
    Ok(client)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test program reads its environment"
)]
fn main() -> std::process::ExitCode {
    let fixture = Sqlite {
        folder: tempfile::tempdir().expect("a temporary folder"),
        journal_mode: std::env::var("LOCKAGE_TEST_SQLITE_JOURNAL_MODE").ok(),
    };
    lockage_testkit::conformance(BACKEND, fixture)
}
