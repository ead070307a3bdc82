use std::path::{Path, PathBuf};

use lockage_core::{LockHolder, LockKey};
use lockage_testkit::{Ability, Barrier, Fixture, TableLock, TestError, async_trait};
use tempfile::TempDir;

use super::lock::file_name;
use super::script::{self, Command};
use super::session::wait_until_exists;
use super::store::Store;
use super::{Fault, marker};

/// Creates the folders that are the databases. They are removed with the fixture.
#[derive(Debug)]
pub(crate) struct ReferenceFixture {
    root: TempDir,
    fault: Option<Fault>,
    missing_abilities: Option<&'static str>,
}

impl ReferenceFixture {
    pub(crate) fn new(fault: Option<Fault>) -> std::io::Result<Self> {
        Ok(Self {
            root: tempfile::tempdir()?,
            fault,
            missing_abilities: None,
        })
    }

    /// Removes all optional abilities.
    #[allow(dead_code, reason = "one of the two test binaries uses everything")]
    pub(crate) fn without_abilities(mut self, reason: &'static str) -> Self {
        self.missing_abilities = Some(reason);
        self
    }
}

fn folder(url: &str) -> PathBuf {
    let rest = url.strip_prefix("reference:").unwrap_or(url);
    PathBuf::from(rest.split('?').next().unwrap_or(rest))
}

#[async_trait]
impl Fixture for ReferenceFixture {
    fn unsupported(&self, ability: Ability) -> Option<String> {
        let reason = self
            .missing_abilities
            .filter(|_| ability != Ability::Engine);
        reason.map(ToOwned::to_owned)
    }

    async fn create_database(&self) -> Result<String, TestError> {
        let folder = self
            .root
            .path()
            .join(lockage_testkit::unique_name("database"));
        std::fs::create_dir(&folder)?;
        let fault = self
            .fault
            .map(|fault| format!("?{fault:?}"))
            .unwrap_or_default();
        Ok(format!("reference:{}{fault}", folder.display()))
    }

    async fn drop_database(&self, url: &str) -> Result<(), TestError> {
        Ok(std::fs::remove_dir_all(folder(url))?)
    }

    async fn tables(&self, url: &str) -> Result<Vec<String>, TestError> {
        let content = Store::new(&folder(url)).content()?;
        let history = content.history.map(|_| "lockage_history".to_owned());
        Ok(content.tables.into_keys().chain(history).collect())
    }

    async fn rows(&self, url: &str, table: &str) -> Result<Vec<i64>, TestError> {
        let mut content = Store::new(&folder(url)).content()?;
        let mut rows = content
            .tables
            .remove(table)
            .ok_or("the table does not exist")?;
        rows.sort_unstable();
        Ok(rows)
    }

    async fn execute(&self, url: &str, statement: &str) -> Result<(), TestError> {
        match script::parse(statement, "", 1)? {
            Command::Change(change) => Ok(Store::new(&folder(url)).commit(&[change])?),
            other => Err(format!("only a session can run {other:?}").into()),
        }
    }

    fn create_table_sql(&self, table: &str) -> String {
        format!("create {table}")
    }

    fn insert_sql(&self, table: &str, n: i64) -> String {
        format!("insert {table} {n}")
    }

    fn script(&self, statements: &[String]) -> String {
        statements
            .iter()
            .map(|statement| format!("{statement}\n"))
            .collect()
    }

    fn barrier_sql(&self, barrier: &str) -> Result<String, TestError> {
        Ok(format!("barrier {barrier}"))
    }

    async fn close_barrier(&self, url: &str, barrier: &str) -> Result<Box<dyn Barrier>, TestError> {
        let barrier = FileBarrier {
            folder: folder(url),
            name: barrier.to_owned(),
        };
        std::fs::write(barrier.closed(), "")?;
        Ok(Box::new(barrier))
    }

    fn release_lock_sql(&self, _: &LockKey) -> Result<String, TestError> {
        Ok("release-locks".into())
    }

    async fn steal_lock(&self, url: &str, key: &LockKey) -> Result<(), TestError> {
        Ok(std::fs::remove_file(
            folder(url).join(file_name(key, self.fault)),
        )?)
    }

    async fn terminate_session(&self, url: &str, holder: &LockHolder) -> Result<(), TestError> {
        let session = holder
            .session
            .as_deref()
            .ok_or("the holder has no session")?;
        Ok(std::fs::write(
            marker::terminated(&folder(url), session),
            "",
        )?)
    }

    async fn lock_table(&self, url: &str, table: &str) -> Result<Box<dyn TableLock>, TestError> {
        let marker = marker::locked(&folder(url), table);
        std::fs::write(&marker, "")?;
        Ok(Box::new(LockedTable { marker }))
    }

    fn create_temporary_table_sql(&self, table: &str) -> Result<String, TestError> {
        Ok(format!("create-temporary {table}"))
    }

    fn change_setting_sql(&self) -> Result<String, TestError> {
        Ok("change-setting".into())
    }

    fn insert_setting_sql(&self, table: &str) -> Result<String, TestError> {
        Ok(format!("insert-setting {table}"))
    }
}

struct LockedTable {
    marker: PathBuf,
}

#[async_trait]
impl TableLock for LockedTable {
    async fn unlock(self: Box<Self>) -> Result<(), TestError> {
        Ok(std::fs::remove_file(self.marker)?)
    }
}

struct FileBarrier {
    folder: PathBuf,
    name: String,
}

impl FileBarrier {
    fn closed(&self) -> PathBuf {
        marker::closed(&self.folder, &self.name)
    }
}

#[async_trait]
impl Barrier for FileBarrier {
    async fn wait_reached(&self) -> Result<(), TestError> {
        let reached: &Path = &marker::reached(&self.folder, &self.name);
        wait_until_exists(reached, true).await;
        Ok(())
    }

    async fn open(self: Box<Self>) -> Result<(), TestError> {
        Ok(std::fs::remove_file(self.closed())?)
    }
}
