use std::path::{Path, PathBuf};

use lockage_core::{LockHolder, LockKey};
use lockage_testkit::{Failure, Fixture, Gate, Need, async_trait};
use tempfile::TempDir;

use super::lock::file_name;
use super::script::{self, Command};
use super::session::until;
use super::store::Store;
use super::{Flaw, marker};

/// Makes the folders that are the databases, all in one that is removed with the fixture.
#[derive(Debug)]
pub(crate) struct ReferenceFixture {
    root: TempDir,
    flaw: Option<Flaw>,
    lacks: Option<&'static str>,
}

impl ReferenceFixture {
    pub(crate) fn new(flaw: Option<Flaw>) -> std::io::Result<Self> {
        Ok(Self {
            root: tempfile::tempdir()?,
            flaw,
            lacks: None,
        })
    }

    /// The same, able to do nothing but what every fixture can.
    #[allow(dead_code, reason = "one of the two test binaries uses everything")]
    pub(crate) fn lacking(mut self, reason: &'static str) -> Self {
        self.lacks = Some(reason);
        self
    }
}

fn folder(url: &str) -> PathBuf {
    let rest = url.strip_prefix("reference:").unwrap_or(url);
    PathBuf::from(rest.split('?').next().unwrap_or(rest))
}

#[async_trait]
impl Fixture for ReferenceFixture {
    fn lacks(&self, need: Need) -> Option<String> {
        let reason = self.lacks.filter(|_| need != Need::Engine);
        reason.map(ToOwned::to_owned)
    }

    async fn create_database(&self) -> Result<String, Failure> {
        let folder = self
            .root
            .path()
            .join(lockage_testkit::unique_name("database"));
        std::fs::create_dir(&folder)?;
        let flaw = self
            .flaw
            .map(|flaw| format!("?{flaw:?}"))
            .unwrap_or_default();
        Ok(format!("reference:{}{flaw}", folder.display()))
    }

    async fn drop_database(&self, url: &str) -> Result<(), Failure> {
        Ok(std::fs::remove_dir_all(folder(url))?)
    }

    async fn tables(&self, url: &str) -> Result<Vec<String>, Failure> {
        let content = Store::new(&folder(url)).content()?;
        let history = content.history.map(|_| "lockage_history".to_owned());
        Ok(content.tables.into_keys().chain(history).collect())
    }

    async fn rows(&self, url: &str, table: &str) -> Result<Vec<i64>, Failure> {
        let mut content = Store::new(&folder(url)).content()?;
        let mut rows = content.tables.remove(table).ok_or("no such table")?;
        rows.sort_unstable();
        Ok(rows)
    }

    async fn execute(&self, url: &str, statement: &str) -> Result<(), Failure> {
        match script::parse(statement, "", 1)? {
            Command::Change(change) => Ok(Store::new(&folder(url)).commit(&[change])?),
            other => Err(format!("{other:?} is for sessions").into()),
        }
    }

    fn create_table(&self, table: &str) -> String {
        format!("create {table}")
    }

    fn insert(&self, table: &str, n: i64) -> String {
        format!("put {table} {n}")
    }

    fn script(&self, statements: &[String]) -> String {
        statements
            .iter()
            .map(|statement| format!("{statement}\n"))
            .collect()
    }

    fn gate(&self, gate: &str) -> Result<String, Failure> {
        Ok(format!("gate {gate}"))
    }

    async fn close_gate(&self, url: &str, gate: &str) -> Result<Box<dyn Gate>, Failure> {
        let gate = FileGate {
            folder: folder(url),
            name: gate.to_owned(),
        };
        std::fs::write(gate.closed(), "")?;
        Ok(Box::new(gate))
    }

    fn give_up_lock(&self, _: &LockKey) -> Result<String, Failure> {
        Ok("give-up".into())
    }

    async fn take_away_lock(&self, url: &str, key: &LockKey) -> Result<(), Failure> {
        Ok(std::fs::remove_file(
            folder(url).join(file_name(key, self.flaw)),
        )?)
    }

    async fn end_session(&self, url: &str, holder: &LockHolder) -> Result<(), Failure> {
        let session = holder
            .session
            .as_deref()
            .ok_or("a holder without a session")?;
        Ok(std::fs::write(marker::ended(&folder(url), session), "")?)
    }
}

struct FileGate {
    folder: PathBuf,
    name: String,
}

impl FileGate {
    fn closed(&self) -> PathBuf {
        marker::closed(&self.folder, &self.name)
    }
}

#[async_trait]
impl Gate for FileGate {
    async fn reached(&self) -> Result<(), Failure> {
        let reached: &Path = &marker::reached(&self.folder, &self.name);
        until(reached, true).await;
        Ok(())
    }

    async fn open(self: Box<Self>) -> Result<(), Failure> {
        Ok(std::fs::remove_file(self.closed())?)
    }
}
