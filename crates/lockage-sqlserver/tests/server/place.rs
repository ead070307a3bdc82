use std::time::{Duration, Instant};

use lockage_sqlserver::BACKEND;
use lockage_sqlserver::lockage_core::{
    ConnectOptions, LockWait, MigrationSet, Registry, Runner, Session,
};
use lockage_testkit::{TestError, unique_name};

use crate::witness::{execute, texts, with_database};

/// What a peer may not be able to give.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Need {
    /// Databases with a collation of their own.
    Collation,
    /// Databases whose readers wait for writers.
    WaitingReaders,
    /// Rights that are taken away from a user.
    Deny,
    /// A list of sessions.
    Sessions,
}

impl Need {
    /// Why the server cannot serve it.
    pub(crate) async fn lacks(self, server: &str) -> Option<String> {
        match self.ask(server).await {
            Ok(()) => None,
            Err(failure) => Some(format!("the peer says: {failure}").replace('\n', " ")),
        }
    }

    async fn ask(self, server: &str) -> Result<(), TestError> {
        match self {
            Self::Collation => Place::new(server, CASE_SENSITIVE).await?.remove().await,
            Self::WaitingReaders => {
                let place = Place::new(server, "").await?;
                let set = place.wait_for_writers().await;
                place.remove().await?;
                set
            }
            Self::Deny => {
                let place = Place::new(server, "").await?;
                let denied = execute(&place.url, "DENY CREATE VIEW TO public").await;
                place.remove().await?;
                denied
            }
            Self::Sessions => execute(server, "SELECT login_time FROM sys.dm_exec_sessions").await,
        }
    }
}

/// Of a database in which `Orders` is not `orders`.
pub(crate) const CASE_SENSITIVE: &str = "COLLATE Latin1_General_100_CS_AS_SC";

/// A database of a test.
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) server: String,
    pub(crate) name: String,
}

impl Place {
    /// Makes one; `how` stands behind its name.
    pub(crate) async fn new(server: &str, how: &str) -> Result<Self, TestError> {
        let name = unique_name("place");
        execute(server, &format!("CREATE DATABASE {name} {how}")).await?;
        Ok(Self {
            url: with_database(server, &name),
            server: server.to_owned(),
            name,
        })
    }

    /// Removes it, with whatever sessions are left in it.
    pub(crate) async fn remove(&self) -> Result<(), TestError> {
        let name = &self.name;
        let alone = format!("ALTER DATABASE {name} SET SINGLE_USER WITH ROLLBACK IMMEDIATE");
        // A peer may not know it; then they are waited for.
        let _ = execute(&self.server, &alone).await;
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            match execute(&self.server, &format!("DROP DATABASE {name}")).await {
                Err(failure)
                    if failure.to_string().contains("use") && Instant::now() < deadline =>
                {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                dropped => return dropped,
            }
        }
    }

    /// Has readers wait for writers, as they do where nothing else was set on SQL Server and not on Azure.
    pub(crate) async fn wait_for_writers(&self) -> Result<(), TestError> {
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

    /// The first column of what a query gives.
    pub(crate) async fn texts(&self, query: &str) -> Result<Vec<String>, TestError> {
        texts(&self.url, query).await
    }

    /// The versions in a history.
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

/// A run of some files.
pub(crate) fn runner(options: ConnectOptions, files: &[(&str, &str)]) -> Result<Runner, TestError> {
    let files = files
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let set = MigrationSet::from_texts(files)?;
    let registry = Registry::default().with(BACKEND)?;
    Ok(Runner::new(registry, options, set).wait(LockWait::For(Duration::from_secs(120))))
}

/// Fails unless it is so.
pub(crate) fn ensure(truth: bool, what: impl Into<String>) -> Result<(), TestError> {
    if truth {
        Ok(())
    } else {
        Err(what.into().into())
    }
}
