//! The database of a test, and direct access to it.

use std::time::{Duration, Instant};

use lockage_message_store::lockage_core::{Backend, ConnectOptions, Unlocked};
use lockage_message_store::{Builder, MessageStore};
use lockage_sql::{Command, Connection};
use lockage_testkit::{TestError, unique_name};
use tempfile::TempDir;

use crate::target_engine::{Engine, TargetEngine};

/// A database that only one test uses.
pub(crate) struct Database {
    pub(crate) engine: Engine,
    pub(crate) url: String,
    /// The URL of the server and the name of the database on it; `None` for SQLite.
    server: Option<(String, String)>,
    pub(crate) folder: TempDir,
    /// Whether the catalog lists indexes under their own names, with their filters.
    pub(crate) lists_indexes: bool,
}

impl Database {
    pub(crate) async fn create(target: &TargetEngine) -> Result<Self, TestError> {
        let folder = tempfile::tempdir()?;
        let (engine, server) = (target.engine(), target.server()?);
        let (url, server) = match server {
            None => (format!("sqlite:{}/app.db", folder.path().display()), None),
            Some(server) => {
                let name = unique_name("store");
                execute(engine, &server, &format!("CREATE DATABASE {name}")).await?;
                (with_database(&server, &name), Some((server, name)))
            }
        };
        Ok(Self {
            engine,
            url,
            server,
            folder,
            lists_indexes: target
                .features()
                .is_none_or(|features| features.lists_indexes),
        })
    }

    pub(crate) async fn drop(self) -> Result<(), TestError> {
        match &self.server {
            Some((server, name)) => drop_database(self.engine, server, name).await,
            None => Ok(()),
        }
    }

    /// Creates another database on the same server.
    pub(crate) async fn second_database(&self) -> Result<Self, TestError> {
        let folder = tempfile::tempdir()?;
        let (url, server) = match &self.server {
            None => (format!("sqlite:{}/app.db", folder.path().display()), None),
            Some((server, _)) => {
                let name = unique_name("tenant");
                execute(self.engine, server, &format!("CREATE DATABASE {name}")).await?;
                (with_database(server, &name), Some((server.clone(), name)))
            }
        };
        Ok(Self {
            engine: self.engine,
            url,
            server,
            folder,
            lists_indexes: self.lists_indexes,
        })
    }

    pub(crate) fn builder(&self) -> Builder {
        MessageStore::builder(&self.url)
    }

    pub(crate) fn store(&self) -> Result<MessageStore, TestError> {
        Ok(self.builder().build()?)
    }

    /// Returns the name of the database on its server.
    pub(crate) fn name(&self) -> &str {
        self.server.as_ref().map_or("main", |(_, name)| name)
    }

    /// Returns the name of a table of the message database in the default schema.
    pub(crate) fn table(&self, table: &str) -> String {
        match self.engine {
            Engine::Postgres => format!("lockage.{table}"),
            Engine::SqlServer => format!("dbo.{table}"),
            Engine::Sqlite | Engine::Mysql => table.to_owned(),
        }
    }

    /// Returns the body of a message as SQL.
    pub(crate) fn body(&self) -> &'static str {
        match self.engine {
            Engine::SqlServer => "0x78",
            _ => "'x'",
        }
    }

    pub(crate) async fn rows(&self, query: &str) -> Result<Vec<Vec<String>>, TestError> {
        rows(self.engine, &self.url, query).await
    }

    pub(crate) async fn execute(&self, statement: &str) -> Result<(), TestError> {
        execute(self.engine, &self.url, statement).await
    }

    /// Opens a session of the backend.
    pub(crate) async fn session(&self) -> Result<Unlocked, TestError> {
        let options = ConnectOptions::new(&self.url)?;
        Ok(Unlocked::new(backend(self.engine).connect(&options).await?))
    }

    /// Returns the rows of the history as texts, sorted by version.
    pub(crate) async fn history(&self) -> Result<Vec<String>, TestError> {
        let history = self.table("lockage_message_history");
        let columns = match self.engine {
            Engine::SqlServer => {
                "version, kind, checksum, state, CONVERT(NVARCHAR(40), applied_at, 126), applied_by, duration_ms, run_id"
            }
            _ => "*",
        };
        let rows = self
            .rows(&format!("SELECT {columns} FROM {history} ORDER BY version"))
            .await?;
        Ok(rows.iter().map(|row| row.join("|")).collect())
    }
}

pub(crate) async fn connect(engine: Engine, url: &str) -> Result<Box<dyn Connection>, TestError> {
    let options = ConnectOptions::new(url)?;
    Ok(match engine {
        Engine::Sqlite => Box::new(lockage_sqlite::connect(&options)?),
        Engine::Postgres => Box::new(lockage_postgres::connect(&options).await?),
        Engine::Mysql => Box::new(lockage_mysql::connect(&options).await?),
        Engine::SqlServer => Box::new(lockage_sqlserver::connect(&options).await?),
    })
}

pub(crate) async fn rows(
    engine: Engine,
    url: &str,
    query: &str,
) -> Result<Vec<Vec<String>>, TestError> {
    let mut connection = connect(engine, url).await?;
    let rows = connection
        .query(query)
        .await
        .map_err(|failure| format!("{query}: {:?}", failure.error))?;
    let text = |value: Option<String>| value.unwrap_or_else(|| "NULL".into());
    Ok(rows
        .into_iter()
        .map(|row| row.into_iter().map(text).collect())
        .collect())
}

pub(crate) async fn execute(engine: Engine, url: &str, statement: &str) -> Result<(), TestError> {
    let mut connection = connect(engine, url).await?;
    connection
        .execute(&[Command::Internal(statement.into())], &mut |_| {})
        .await
        .map_err(|failure| format!("{statement}: {:?}", failure.error).into())
}

pub(crate) async fn drop_database(
    engine: Engine,
    server: &str,
    name: &str,
) -> Result<(), TestError> {
    if engine == Engine::SqlServer {
        return drop_unused(server, name).await;
    }
    let force = match engine {
        // Sessions that were cut off can still exist.
        Engine::Postgres => " WITH (FORCE)",
        _ => "",
    };
    execute(engine, server, &format!("DROP DATABASE {name}{force}")).await
}

/// Drops a database and retries while sessions that were cut off still use it.
async fn drop_unused(server: &str, name: &str) -> Result<(), TestError> {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        match execute(Engine::SqlServer, server, &format!("DROP DATABASE {name}")).await {
            Err(failure) if failure.to_string().contains("use") && Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            dropped => return dropped,
        }
    }
}

fn backend(engine: Engine) -> Backend {
    match engine {
        Engine::Sqlite => lockage_sqlite::BACKEND,
        Engine::Postgres => lockage_postgres::BACKEND,
        Engine::Mysql => lockage_mysql::BACKEND,
        Engine::SqlServer => lockage_sqlserver::BACKEND,
    }
}

/// Returns the URL of another database on the same server.
pub(crate) fn with_database(url: &str, database: &str) -> String {
    let authority = url.find("//").map_or(0, |at| at + 2);
    let end = url[authority..]
        .find(['/', '?'])
        .map_or(url.len(), |at| authority + at);
    let query = url.find('?').map_or("", |at| &url[at..]);
    format!("{}/{database}{query}", &url[..end])
}
