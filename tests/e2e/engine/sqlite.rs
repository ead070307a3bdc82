//! SQLite, with its own driver.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::types::Value;

use super::{Database, Engine};

/// SQLite files of one journal mode.
pub(crate) struct Sqlite {
    pub(crate) journal_mode: &'static str,
}

impl Engine for Sqlite {
    fn name(&self) -> String {
        format!("sqlite-{}", self.journal_mode)
    }

    fn unavailable_reason(&self) -> Option<String> {
        None
    }

    fn create_database(&self) -> Result<Box<dyn Database>, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let file = File {
            path: folder.path().join("e2e.db"),
            _folder: folder,
        };
        // A new database in the default mode has no file.
        if self.journal_mode != "delete" {
            file.open()?
                .pragma_update(None, "journal_mode", self.journal_mode)
                .map_err(|error| error.to_string())?;
        }
        Ok(Box::new(file))
    }

    fn sleep_20s_sql(&self) -> String {
        "CREATE TABLE long AS SELECT count(*) AS n FROM \
         (WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 60000000) SELECT n FROM r)"
            .into()
    }

    fn sleep_forever_sql(&self) -> String {
        "CREATE TABLE forever AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r"
            .into()
    }

    fn sleep_sql(&self) -> String {
        "SELECT count(*) FROM (WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 50000) SELECT n FROM r)"
            .into()
    }

    fn has_server(&self) -> bool {
        false
    }
}

struct File {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl File {
    fn open(&self) -> Result<Connection, String> {
        let connection = Connection::open(&self.path).map_err(|error| error.to_string())?;
        connection
            .busy_timeout(Duration::from_secs(60))
            .map_err(|error| error.to_string())?;
        Ok(connection)
    }
}

impl Database for File {
    fn url(&self) -> String {
        format!("sqlite:{}", self.path.display())
    }

    fn query_column(&self, sql: &str) -> Result<Vec<String>, String> {
        let connection = self.open()?;
        let mut statement = connection.prepare(sql).map_err(|error| error.to_string())?;
        let rows = statement
            .query_map((), |row| row.get::<_, Value>(0))
            .map_err(|error| error.to_string())?;
        rows.map(|value| match value {
            Ok(Value::Integer(n)) => Ok(n.to_string()),
            Ok(Value::Text(text)) => Ok(text),
            Ok(other) => Err(format!("{other:?}")),
            Err(error) => Err(error.to_string()),
        })
        .collect()
    }
}
