//! The database of a test.

use std::sync::{Arc, Mutex};

use lockage_mysql::lockage_core::{Event, Observer, Runner};
use lockage_testkit::{TestError, unique_name};

use crate::direct_client::{execute, texts, with_database};
use crate::runner::runner;

/// The database of a test, with access that does not use the backend under test.
pub(crate) struct TestDatabase {
    server: String,
    name: String,
}

/// The password of every account that a test creates.
const PASSWORD: &str = "secret";

impl TestDatabase {
    /// Creates a database on a server.
    pub(crate) async fn create(server: String) -> Result<Self, TestError> {
        let name = unique_name("test");
        execute(&server, &format!("CREATE DATABASE {name}")).await?;
        Ok(Self { server, name })
    }

    pub(crate) async fn remove(&self) -> Result<(), TestError> {
        execute(
            &self.server,
            &format!("DROP DATABASE IF EXISTS {}", self.name),
        )
        .await
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the URL of the database, for its owner.
    pub(crate) fn url(&self) -> String {
        with_database(&self.server, &self.name)
    }

    /// Returns the URL of another database of the server.
    pub(crate) fn url_of(&self, database: &str) -> String {
        with_database(&self.server, database)
    }

    /// Returns the URL of the database at another address, without encryption.
    pub(crate) fn url_via(&self, host: &str) -> String {
        format!(
            "{}?ssl-mode=disabled",
            self.url().replace(self.host(), host)
        )
    }

    /// Returns host and port of the server.
    pub(crate) fn host(&self) -> &str {
        let (_, host) = self.server.rsplit_once('@').expect("a URL with a user");
        host.split('/').next().unwrap_or_default()
    }

    /// Creates an account. Returns its name and the URL for it.
    pub(crate) async fn create_account(
        &self,
        privileges: &str,
    ) -> Result<(String, String), TestError> {
        // MySQL allows 32 characters.
        let name: String = unique_name("u").chars().rev().take(30).collect();
        self.execute(&format!(
            "CREATE USER '{name}'@'%' IDENTIFIED BY '{PASSWORD}'"
        ))
        .await?;
        self.execute(&format!(
            "GRANT {privileges} ON {}.* TO '{name}'@'%'",
            self.name
        ))
        .await?;
        let url = format!("mysql://{name}:{PASSWORD}@{}/{}", self.host(), self.name);
        Ok((name, url))
    }

    pub(crate) async fn drop_account(&self, name: &str) -> Result<(), TestError> {
        self.execute(&format!("DROP USER '{name}'@'%'")).await
    }

    /// Runs a statement outside the database.
    pub(crate) async fn execute_on_server(&self, sql: &str) -> Result<(), TestError> {
        execute(&self.server, sql).await
    }

    pub(crate) async fn execute(&self, sql: &str) -> Result<(), TestError> {
        execute(&self.url(), sql).await
    }

    /// Returns the first column of a query.
    pub(crate) async fn texts(&self, sql: &str) -> Result<Vec<String>, TestError> {
        texts(&self.url(), sql).await
    }

    /// Returns the first value of a query; an empty text without a row.
    pub(crate) async fn text(&self, sql: &str) -> Result<String, TestError> {
        let texts = self.texts(sql).await?;
        Ok(texts.into_iter().next().unwrap_or_default())
    }

    /// Repeats a query until it returns a row. The test runner limits the time.
    pub(crate) async fn wait_for_row(&self, sql: &str) -> Result<(), TestError> {
        while self.texts(sql).await?.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Returns a query for the sessions that run a statement with this beginning.
    pub(crate) fn sessions_running(&self, beginning: &str) -> String {
        format!(
            "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{}' AND INFO LIKE '{beginning}%'",
            self.name
        )
    }

    /// Returns a runner with default options.
    pub(crate) fn runner(&self, files: &[(&str, &str)]) -> Result<Runner, TestError> {
        runner(&self.url(), files)
    }
}

/// Records events of a run.
#[derive(Clone, Default)]
pub(crate) struct EventLog(Arc<Mutex<Vec<String>>>);

impl Observer for EventLog {
    fn on_event(&self, event: &Event<'_>) {
        let line = match event {
            Event::Retrying {
                attempt, message, ..
            } => format!("retry {attempt}: {message}"),
            Event::Statement { done, total } => format!("{done}/{total}"),
            _ => return,
        };
        self.0.lock().expect("not poisoned").push(line);
    }
}

impl EventLog {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().expect("not poisoned").clone()
    }
}
