use std::sync::{Arc, Mutex};

use lockage_core::{
    ConnectOptions, Error, ErrorKind, Event, MigrationSet, Observer, Registry, Runner,
};
use lockage_postgres::BACKEND;
use lockage_testkit::{Failure, unique_name};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// A test's database, with ways to it that do not go through the backend.
pub(crate) struct Place {
    server: String,
    name: String,
}

/// What the server tells of this database: the tests of others run beside.
const HERE: &str = "CREATE SCHEMA here; \
    CREATE VIEW here.sessions AS SELECT * FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid(); \
    CREATE VIEW here.builds AS SELECT * FROM pg_stat_progress_create_index WHERE datname = current_database(); \
    CREATE VIEW here.locks AS SELECT * FROM pg_locks \
    WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// The password of every role that a test makes.
const PASSWORD: &str = "secret";

impl Place {
    /// A new database on a server.
    pub(crate) async fn new(server: String) -> Result<Self, Failure> {
        let name = unique_name("test");
        connect(&server)
            .await?
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await?;
        let place = Self { server, name };
        place.execute(HERE).await?;
        Ok(place)
    }

    /// The same database, where its server is now.
    pub(crate) fn moved_to(self, server: String) -> Self {
        Self { server, ..self }
    }

    pub(crate) async fn remove(&self) -> Result<(), Failure> {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        Ok(connect(&self.server).await?.batch_execute(&drop).await?)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The URL of the database, for its owner.
    pub(crate) fn url(&self) -> String {
        self.url_of(&self.name)
    }

    /// The URL of another database of the server.
    pub(crate) fn url_of(&self, database: &str) -> String {
        let (server, _) = self.server.rsplit_once('/').expect("a URL with a database");
        format!("{server}/{database}")
    }

    /// The host and the port of the server.
    pub(crate) fn host(&self) -> &str {
        let (_, host) = self.server.rsplit_once('@').expect("a URL with a user");
        host.split('/').next().unwrap_or_default()
    }

    /// Makes a role that may log in, and returns its name and the URL for it.
    pub(crate) async fn role(&self, options: &str) -> Result<(String, String), Failure> {
        let name = unique_name("role");
        self.execute(&format!(
            "CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}' {options}"
        ))
        .await?;
        let url = format!("postgres://{name}:{PASSWORD}@{}/{}", self.host(), self.name);
        Ok((name, url))
    }

    /// Takes a role away with all it has.
    pub(crate) async fn drop_role(&self, name: &str) -> Result<(), Failure> {
        self.execute(&format!("DROP OWNED BY {name} CASCADE; DROP ROLE {name}"))
            .await
    }

    pub(crate) async fn client(&self) -> Result<Client, Failure> {
        connect(&self.url()).await
    }

    pub(crate) async fn execute(&self, sql: &str) -> Result<(), Failure> {
        Ok(self.client().await?.batch_execute(sql).await?)
    }

    /// The first column of a query.
    pub(crate) async fn texts(&self, sql: &str) -> Result<Vec<String>, Failure> {
        texts(&self.client().await?, sql).await
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

    /// Whether a run left no table where scripts make theirs.
    pub(crate) async fn is_empty(&self) -> Result<bool, Failure> {
        let tables = "SELECT 1 FROM pg_tables WHERE schemaname = 'public'";
        Ok(self.texts(tables).await?.is_empty())
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

/// The error of a run that must fail, in this way.
pub(crate) async fn fails(runner: Runner, kind: ErrorKind) -> Result<Error, Failure> {
    match runner.up().await {
        Ok(report) => Err(format!("no failure: {report:?}").into()),
        Err(error) if error.kind() == kind => Ok(error),
        Err(error) => Err(error.into()),
    }
}

/// The line that an error names.
pub(crate) fn line_of(error: &Error) -> Option<u32> {
    error.location()?.line
}

/// Whether an error's hint says something.
pub(crate) fn hints(error: &Error, what: &str) -> bool {
    error.hint().is_some_and(|hint| hint.contains(what))
}

pub(crate) async fn connect(url: &str) -> Result<Client, Failure> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

pub(crate) async fn texts(client: &Client, sql: &str) -> Result<Vec<String>, Failure> {
    let mut values = Vec::new();
    for message in client.simple_query(sql).await? {
        if let SimpleQueryMessage::Row(row) = message {
            values.push(row.get(0).unwrap_or_default().to_owned());
        }
    }
    Ok(values)
}

/// Looks until a query has a row; the deadline is the test runner's.
pub(crate) async fn until(client: &Client, sql: &str) -> Result<(), Failure> {
    while texts(client, sql).await?.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Writes down what a run tells.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<String>>>);

impl Observer for Heard {
    fn on_event(&self, event: &Event<'_>) {
        let word = match event {
            Event::Notice { severity, message } => format!("{severity}: {message}"),
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
