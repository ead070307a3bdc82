//! The database of a test, and the features that tests require of the server.

use std::time::Duration;

use lockage_sqlserver::BACKEND;
use lockage_sqlserver::lockage_core::{
    ConnectOptions, LockWait, MigrationSet, Registry, Runner, Session,
};
use lockage_testkit::{TestError, unique_name};

use crate::direct_client::{drop_database, execute, query_texts, with_database};

/// A feature that a test requires and a compatible server may lack.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Feature {
    /// A collation per database.
    Collation,
    /// Databases in which readers wait for writers.
    BlockingReaders,
    /// `DENY` of a permission.
    Deny,
    /// A list of the server's sessions.
    SessionList,
}

impl Feature {
    /// Returns the reason why the server does not support the feature.
    pub(crate) async fn unsupported(self, server: &str) -> Option<String> {
        match self.probe(server).await {
            Ok(()) => None,
            Err(error) => Some(format!("the server reports: {error}").replace('\n', " ")),
        }
    }

    async fn probe(self, server: &str) -> Result<(), TestError> {
        match self {
            Self::Collation => {
                TestDatabase::create(server, CASE_SENSITIVE)
                    .await?
                    .drop()
                    .await
            }
            Self::BlockingReaders => {
                let database = TestDatabase::create(server, "").await?;
                let changed = database.make_readers_block().await;
                database.drop().await?;
                changed
            }
            Self::Deny => {
                let database = TestDatabase::create(server, "").await?;
                let denied = execute(&database.url, "DENY CREATE VIEW TO public").await;
                database.drop().await?;
                denied
            }
            Self::SessionList => {
                execute(server, "SELECT login_time FROM sys.dm_exec_sessions").await
            }
        }
    }
}

/// The option of a database in which `Orders` and `orders` differ.
pub(crate) const CASE_SENSITIVE: &str = "COLLATE Latin1_General_100_CS_AS_SC";

/// The database of one test.
pub(crate) struct TestDatabase {
    pub(crate) url: String,
    pub(crate) server: String,
    pub(crate) name: String,
}

impl TestDatabase {
    /// Creates a database. `options` follow its name in `CREATE DATABASE`.
    pub(crate) async fn create(server: &str, options: &str) -> Result<Self, TestError> {
        let name = unique_name("test");
        execute(server, &format!("CREATE DATABASE {name} {options}")).await?;
        Ok(Self {
            url: with_database(server, &name),
            server: server.to_owned(),
            name,
        })
    }

    /// Drops the database and disconnects its sessions.
    pub(crate) async fn drop(&self) -> Result<(), TestError> {
        drop_database(&self.server, &self.name).await
    }

    /// Makes readers wait for writers: the default of SQL Server, but not of Azure SQL.
    pub(crate) async fn make_readers_block(&self) -> Result<(), TestError> {
        let name = &self.name;
        execute(
            &self.server,
            &format!("ALTER DATABASE {name} SET READ_COMMITTED_SNAPSHOT OFF"),
        )
        .await
    }

    pub(crate) fn options(&self) -> Result<ConnectOptions, TestError> {
        options(&self.url)
    }

    pub(crate) async fn session(&self) -> Result<Box<dyn Session>, TestError> {
        Ok(BACKEND.connect(&self.options()?).await?)
    }

    pub(crate) async fn execute(&self, sql: &str) -> Result<(), TestError> {
        execute(&self.url, sql).await
    }

    /// Returns the first column of a query's rows.
    pub(crate) async fn texts(&self, query: &str) -> Result<Vec<String>, TestError> {
        query_texts(&self.url, query).await
    }

    /// Returns the applied versions in a history.
    pub(crate) async fn applied(&self, history: &str) -> Result<Vec<String>, TestError> {
        self.texts(&format!(
            "SELECT CONVERT(NVARCHAR(64), version) FROM {history} WHERE state = 'applied' ORDER BY version"
        ))
        .await
    }
}

pub(crate) fn options(url: &str) -> Result<ConnectOptions, TestError> {
    let mut options = ConnectOptions::new(url)?;
    options.connect_timeout = Duration::from_secs(60);
    Ok(options)
}

/// Creates a runner of migrations with these names and texts.
pub(crate) fn runner(options: ConnectOptions, files: &[(&str, &str)]) -> Result<Runner, TestError> {
    let files = files
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let set = MigrationSet::from_texts(files)?;
    let registry = Registry::default().with(BACKEND)?;
    Ok(Runner::new(registry, options, set).wait(LockWait::For(Duration::from_secs(120))))
}

/// Fails with `message` unless `condition` is true.
pub(crate) fn ensure(condition: bool, message: impl Into<String>) -> Result<(), TestError> {
    if condition {
        Ok(())
    } else {
        Err(message.into().into())
    }
}
