//! A database file and the runners that migrate it.

use lockage_core::{ConnectOptions, MigrationSet, Registry, Runner};
use lockage_sqlite::BACKEND;

/// A database file in its own folder.
pub(crate) struct TestDatabase {
    pub(crate) folder: tempfile::TempDir,
}

impl TestDatabase {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Creates a database in a file system in memory, where one exists. Nothing waits for a disk there.
    pub(crate) fn in_ram() -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self {
            folder: folder.unwrap(),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite:{}", self.folder.path().join("app.db").display())
    }

    pub(crate) fn runner(&self, files: &[(&str, &str)]) -> Runner {
        let set = MigrationSet::from_texts(files.iter().copied()).unwrap();
        let registry = Registry::default().with(BACKEND).unwrap();
        Runner::new(registry, ConnectOptions::new(self.url()).unwrap(), set)
    }

    pub(crate) fn client(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.folder.path().join("app.db")).unwrap()
    }

    pub(crate) fn text(&self, sql: &str) -> String {
        self.client()
            .query_row(sql, (), |row| row.get::<_, rusqlite::types::Value>(0))
            .map(|v| format!("{v:?}"))
            .unwrap()
    }
}
