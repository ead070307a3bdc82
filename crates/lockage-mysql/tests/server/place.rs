use std::sync::{Arc, Mutex};

use lockage_mysql::BACKEND;
use lockage_mysql::lockage_core::{
    ConnectOptions, Event, MigrationSet, Observer, Registry, Runner,
};
use lockage_testkit::{Failure, unique_name};

use crate::witness::{execute, texts, with_database};

/// A test's database, with ways to it that do not go through the backend.
pub(crate) struct Place {
    server: String,
    name: String,
}

/// The password of every account that a test makes.
const PASSWORD: &str = "secret";

impl Place {
    /// A new database on a server.
    pub(crate) async fn new(server: String) -> Result<Self, Failure> {
        let name = unique_name("test");
        execute(&server, &format!("CREATE DATABASE {name}")).await?;
        Ok(Self { server, name })
    }

    pub(crate) async fn remove(&self) -> Result<(), Failure> {
        execute(
            &self.server,
            &format!("DROP DATABASE IF EXISTS {}", self.name),
        )
        .await
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The URL of the database, for its owner.
    pub(crate) fn url(&self) -> String {
        with_database(&self.server, &self.name)
    }

    /// The URL of another database of the server.
    pub(crate) fn url_of(&self, database: &str) -> String {
        with_database(&self.server, database)
    }

    /// The same database at another address, without encryption.
    pub(crate) fn url_at(&self, host: &str) -> String {
        format!(
            "{}?ssl-mode=disabled",
            self.url().replace(self.host(), host)
        )
    }

    /// The host and the port of the server.
    pub(crate) fn host(&self) -> &str {
        let (_, host) = self.server.rsplit_once('@').expect("a URL with a user");
        host.split('/').next().unwrap_or_default()
    }

    /// Makes an account and returns its name and the URL for it.
    pub(crate) async fn account(&self, rights: &str) -> Result<(String, String), Failure> {
        // MariaDB and MySQL agree on 32 characters.
        let name: String = unique_name("u").chars().rev().take(30).collect();
        self.execute(&format!(
            "CREATE USER '{name}'@'%' IDENTIFIED BY '{PASSWORD}'"
        ))
        .await?;
        self.execute(&format!(
            "GRANT {rights} ON {}.* TO '{name}'@'%'",
            self.name
        ))
        .await?;
        let url = format!("mysql://{name}:{PASSWORD}@{}/{}", self.host(), self.name);
        Ok((name, url))
    }

    pub(crate) async fn drop_account(&self, name: &str) -> Result<(), Failure> {
        self.execute(&format!("DROP USER '{name}'@'%'")).await
    }

    /// Runs a statement outside the database.
    pub(crate) async fn execute_at_the_server(&self, sql: &str) -> Result<(), Failure> {
        execute(&self.server, sql).await
    }

    pub(crate) async fn execute(&self, sql: &str) -> Result<(), Failure> {
        execute(&self.url(), sql).await
    }

    /// The first column of a query.
    pub(crate) async fn texts(&self, sql: &str) -> Result<Vec<String>, Failure> {
        texts(&self.url(), sql).await
    }

    /// Its first value; empty where there is none.
    pub(crate) async fn text(&self, sql: &str) -> Result<String, Failure> {
        Ok(self
            .texts(sql)
            .await?
            .into_iter()
            .next()
            .unwrap_or_default())
    }

    /// Looks until a query has a row; the deadline is the test runner's.
    pub(crate) async fn until(&self, sql: &str) -> Result<(), Failure> {
        while self.texts(sql).await?.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        Ok(())
    }

    pub(crate) fn runner(&self, files: &[(&str, &str)]) -> Result<Runner, Failure> {
        runner(&self.url(), files)
    }
}

/// A run with the defaults.
pub(crate) fn runner(url: &str, files: &[(&str, &str)]) -> Result<Runner, Failure> {
    let set = MigrationSet::from_texts(files.iter().copied())?;
    Ok(Runner::new(
        Registry::default().with(BACKEND)?,
        ConnectOptions::new(url)?,
        set,
    ))
}

/// Writes down what a run tells.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<String>>>);

impl Observer for Heard {
    fn on_event(&self, event: &Event<'_>) {
        let word = match event {
            Event::Retrying {
                attempt, message, ..
            } => format!("retry {attempt}: {message}"),
            Event::Statement { done, total } => format!("{done}/{total}"),
            _ => return,
        };
        self.0.lock().expect("nobody panics in here").push(word);
    }
}

impl Heard {
    pub(crate) fn words(&self) -> Vec<String> {
        self.0.lock().expect("nobody panics in here").clone()
    }
}
