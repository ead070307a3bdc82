//! The conformance suite on SQLite files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lockage_core::LockKey;
use lockage_sqlite::BACKEND;
use lockage_testkit::{Ability, Barrier, Fixture, TableLock, TestError, async_trait, unique_name};
use rusqlite::{Connection, ErrorCode};

struct Sqlite {
    folder: tempfile::TempDir,
    journal_mode: Option<String>,
}

#[async_trait]
impl Fixture for Sqlite {
    fn unsupported(&self, ability: Ability) -> Option<String> {
        match ability {
            Ability::Engine
            | Ability::Barrier
            | Ability::StealLock
            | Ability::TableLock
            | Ability::TemporaryTable
            | Ability::SessionSetting
            | Ability::DetectsDeadClient
            | Ability::Processes => None,
            Ability::ReleaseInScript => {
                Some("SQLite has no statement that releases a file lock".into())
            }
            Ability::TerminateSession => {
                Some("SQLite has no server that could terminate a session".into())
            }
            ability => Some(format!("this fixture does not know {ability:?}")),
        }
    }

    async fn create_database(&self) -> Result<String, TestError> {
        let folder = self.folder.path().join(unique_name("sqlite"));
        std::fs::create_dir(&folder)?;
        let path = folder.join("app.db");
        // In the default mode a new database has no file yet.
        if let Some(mode) = &self.journal_mode {
            open(&path)?.pragma_update(None, "journal_mode", mode)?;
        }
        Ok(format!("sqlite:{}", path.display()))
    }

    async fn drop_database(&self, url: &str) -> Result<(), TestError> {
        let path = path(url);
        Ok(std::fs::remove_dir_all(path.parent().ok_or("no folder")?)?)
    }

    async fn tables(&self, url: &str) -> Result<Vec<String>, TestError> {
        let client = client(url)?;
        let mut names = client.prepare(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
        )?;
        let names = names.query_map((), |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    }

    async fn rows(&self, url: &str, table: &str) -> Result<Vec<i64>, TestError> {
        let client = client(url)?;
        let mut rows = client.prepare(&format!("SELECT n FROM {table} ORDER BY n"))?;
        let rows = rows.query_map((), |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    async fn execute(&self, url: &str, statement: &str) -> Result<(), TestError> {
        Ok(client(url)?.execute_batch(statement)?)
    }

    /// Counts to `user_version` of the database, which is zero unless the barrier is closed.
    fn barrier_sql(&self, _barrier: &str) -> Result<String, TestError> {
        Ok(
            "SELECT count(*) FROM (WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r \
            WHERE n < (SELECT user_version FROM pragma_user_version)) SELECT n FROM r)"
                .into(),
        )
    }

    async fn close_barrier(
        &self,
        url: &str,
        _barrier: &str,
    ) -> Result<Box<dyn Barrier>, TestError> {
        client(url)?.pragma_update(None, "user_version", i32::MAX)?;
        Ok(Box::new(ExclusiveTransactionBarrier { path: path(url) }))
    }

    async fn steal_lock(&self, url: &str, key: &LockKey) -> Result<(), TestError> {
        let mut lock = path(url).into_os_string();
        lock.push(format!("-lockage-{key}.lock"));
        Ok(std::fs::remove_file(lock)?)
    }

    /// Locks the whole database, because SQLite has no locks of tables.
    async fn lock_table(&self, url: &str, _table: &str) -> Result<Box<dyn TableLock>, TestError> {
        let client = client(url)?;
        client.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Box::new(ImmediateTransaction { client }))
    }

    fn create_temporary_table_sql(&self, table: &str) -> Result<String, TestError> {
        Ok(format!(
            "CREATE TEMPORARY TABLE {table} (n INTEGER NOT NULL)"
        ))
    }

    fn change_setting_sql(&self) -> Result<String, TestError> {
        Ok("PRAGMA recursive_triggers = ON".into())
    }

    fn insert_setting_sql(&self, table: &str) -> Result<String, TestError> {
        Ok(format!(
            "INSERT INTO {table} (n) SELECT recursive_triggers FROM pragma_recursive_triggers"
        ))
    }
}

struct ImmediateTransaction {
    client: Connection,
}

#[async_trait]
impl TableLock for ImmediateTransaction {
    async fn unlock(self: Box<Self>) -> Result<(), TestError> {
        Ok(self.client.execute_batch("ROLLBACK")?)
    }
}

struct ExclusiveTransactionBarrier {
    path: PathBuf,
}

#[async_trait]
impl Barrier for ExclusiveTransactionBarrier {
    async fn wait_reached(&self) -> Result<(), TestError> {
        // SQLite does not report the statements of other sessions. The lock file names the running migration, and its
        // transaction excludes other writers.
        while !(self.is_migration_running()? && has_writer(&self.path)?) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    async fn open(self: Box<Self>) -> Result<(), TestError> {
        Ok(open(&self.path)?.pragma_update(None, "user_version", 0)?)
    }
}

impl ExclusiveTransactionBarrier {
    fn is_migration_running(&self) -> Result<bool, TestError> {
        for entry in self.path.parent().ok_or("no folder")?.read_dir()? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "lock")
            {
                let holder_file_text = std::fs::read_to_string(path)?;
                // The first migration of every case creates the tables; a later one contains the barrier.
                return Ok(holder_file_text.lines().any(|line| {
                    line.strip_prefix("migration=")
                        .is_some_and(|m| !m.is_empty() && !m.starts_with("1 "))
                }));
            }
        }
        Ok(false)
    }
}

fn has_writer(path: &Path) -> Result<bool, TestError> {
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

fn client(url: &str) -> Result<Connection, TestError> {
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
