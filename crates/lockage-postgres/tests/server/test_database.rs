//! A database for one test, with access that does not go through the backend.

use std::time::Duration;

use lockage_core::Runner;
use lockage_testkit::{TestError, unique_name};
use tokio_postgres::Client;

use crate::migrations::runner;
use crate::sql_client::{connect, first_column};

/// A database for one test.
pub(crate) struct TestDatabase {
    server: String,
    name: String,
}

/// Views on the server's state of this database only: other tests run at the same time.
const SCHEMA: &str = "CREATE SCHEMA test_schema; \
    CREATE VIEW test_schema.sessions AS \
    SELECT * FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid(); \
    CREATE VIEW test_schema.builds AS SELECT * FROM pg_stat_progress_create_index WHERE datname = current_database(); \
    CREATE VIEW test_schema.locks AS SELECT * FROM pg_locks \
    WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// Has a row while a session runs `pg_sleep`.
pub(crate) const SLEEPING: &str = "SELECT 1 FROM test_schema.sessions WHERE wait_event = 'PgSleep'";

/// Has a row while a session holds an advisory lock.
pub(crate) const LOCK_HELD: &str = "SELECT 1 FROM test_schema.locks WHERE locktype = 'advisory'";

/// Has a row while no session holds an advisory lock.
pub(crate) const LOCK_FREE: &str =
    "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM test_schema.locks WHERE locktype = 'advisory')";

/// Terminates the sessions that hold an advisory lock.
pub(crate) const TERMINATE_LOCK_HOLDER: &str =
    "SELECT pg_terminate_backend(pid) FROM test_schema.locks WHERE locktype = 'advisory'";

/// The password of every role that a test creates.
const PASSWORD: &str = "secret";

impl TestDatabase {
    /// Creates a database on a server.
    pub(crate) async fn new(server: String) -> Result<Self, TestError> {
        let name = unique_name("test");
        connect(&server)
            .await?
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await?;
        let database = Self { server, name };
        database.execute(SCHEMA).await?;
        Ok(database)
    }

    /// Returns the same database after its server moved to another URL.
    pub(crate) fn on_server(self, server: String) -> Self {
        Self { server, ..self }
    }

    pub(crate) async fn remove(&self) -> Result<(), TestError> {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        Ok(connect(&self.server).await?.batch_execute(&drop).await?)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the URL of the database, for its owner.
    pub(crate) fn url(&self) -> String {
        self.url_of(&self.name)
    }

    /// Returns the URL of another database of the server.
    pub(crate) fn url_of(&self, database: &str) -> String {
        let (server, _) = self.server.rsplit_once('/').expect("a URL with a database");
        format!("{server}/{database}")
    }

    /// Returns the URL of the database with another host and port.
    pub(crate) fn url_at(&self, host: &str) -> String {
        self.url().replace(self.host(), host)
    }

    /// Returns the host and the port of the server.
    pub(crate) fn host(&self) -> &str {
        let (_, host) = self.server.rsplit_once('@').expect("a URL with a user");
        host.split('/').next().unwrap_or_default()
    }

    /// Creates a role that can log in. Returns its name and its URL.
    pub(crate) async fn create_role(&self, options: &str) -> Result<(String, String), TestError> {
        let name = unique_name("role");
        self.execute(&format!(
            "CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}' {options}"
        ))
        .await?;
        let url = format!("postgres://{name}:{PASSWORD}@{}/{}", self.host(), self.name);
        Ok((name, url))
    }

    /// Drops a role and everything that it owns.
    pub(crate) async fn drop_role(&self, name: &str) -> Result<(), TestError> {
        self.execute(&format!("DROP OWNED BY {name} CASCADE; DROP ROLE {name}"))
            .await
    }

    pub(crate) async fn client(&self) -> Result<Client, TestError> {
        connect(&self.url()).await
    }

    pub(crate) async fn execute(&self, sql: &str) -> Result<(), TestError> {
        Ok(self.client().await?.batch_execute(sql).await?)
    }

    /// Returns the first column of a query.
    pub(crate) async fn texts(&self, sql: &str) -> Result<Vec<String>, TestError> {
        first_column(&self.client().await?, sql).await
    }

    /// Returns the first value of a query; empty if it has no row.
    pub(crate) async fn text(&self, sql: &str) -> Result<String, TestError> {
        Ok(self
            .texts(sql)
            .await?
            .into_iter()
            .next()
            .unwrap_or_default())
    }

    /// Returns the major version of the server.
    pub(crate) async fn version(&self) -> Result<u32, TestError> {
        Ok(self.text("SHOW server_version_num").await?.parse::<u32>()? / 10_000)
    }

    /// Returns whether the schema `public` has a table of this name.
    pub(crate) async fn has_table(&self, name: &str) -> Result<bool, TestError> {
        let tables =
            format!("SELECT 1 FROM pg_tables WHERE schemaname = 'public' AND tablename = '{name}'");
        Ok(!self.texts(&tables).await?.is_empty())
    }

    /// Returns whether the schema `public` is empty, which neither a script nor the history wrote to.
    pub(crate) async fn has_no_tables(&self) -> Result<bool, TestError> {
        let tables = "SELECT 1 FROM pg_tables WHERE schemaname = 'public'";
        Ok(self.texts(tables).await?.is_empty())
    }

    /// Waits until a query has a row. The test runner limits the time.
    pub(crate) async fn wait_until(&self, sql: &str) -> Result<(), TestError> {
        wait_until(&self.client().await?, sql).await
    }

    pub(crate) fn runner(&self, files: &[(&str, &str)]) -> Result<Runner, TestError> {
        runner(&self.url(), files)
    }
}

/// Waits until a query has a row. The test runner limits the time.
pub(crate) async fn wait_until(client: &Client, sql: &str) -> Result<(), TestError> {
    while first_column(client, sql).await?.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
