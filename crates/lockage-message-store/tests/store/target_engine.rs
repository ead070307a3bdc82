//! The engines that the tests run on.

use lockage_test_matrix::engine::{MariadbSource, PostgresSource};
use lockage_testkit::TestError;

use crate::server_features::ServerFeatures;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
    /// MySQL or MariaDB.
    Mysql,
    SqlServer,
}

/// An engine, or the reason why it is unavailable.
pub(crate) struct TargetEngine {
    name: &'static str,
    source: Source,
}

enum Source {
    File,
    Postgres(Result<PostgresSource, String>),
    Mysql(Result<MariadbSource, String>),
    SqlServer(Result<(String, ServerFeatures), String>),
}

impl TargetEngine {
    pub(crate) fn all() -> Vec<Self> {
        let path = variable("PATH").unwrap_or_default();
        let mysql = match variable("LOCKAGE_TEST_MYSQL_URL") {
            Some(url) => MariadbSource::find(Some(url), ""),
            None => Err("set LOCKAGE_TEST_MYSQL_URL".into()),
        };
        vec![
            Self {
                name: "sqlite",
                source: Source::File,
            },
            Self {
                name: "postgres",
                source: Source::Postgres(PostgresSource::find(
                    variable("LOCKAGE_TEST_POSTGRES_URL"),
                    &path,
                )),
            },
            Self {
                name: "mariadb",
                source: Source::Mysql(MariadbSource::find(
                    variable("LOCKAGE_TEST_MARIADB_URL"),
                    &path,
                )),
            },
            Self {
                name: "mysql",
                source: Source::Mysql(mysql),
            },
            Self {
                name: "sqlserver",
                source: Source::SqlServer(match variable("LOCKAGE_TEST_SQLSERVER_URL") {
                    Some(url) => ServerFeatures::read(&url).map(|features| (url, features)),
                    None => Err("set LOCKAGE_TEST_SQLSERVER_URL".into()),
                }),
            },
        ]
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn engine(&self) -> Engine {
        match self.source {
            Source::File => Engine::Sqlite,
            Source::Postgres(_) => Engine::Postgres,
            Source::Mysql(_) => Engine::Mysql,
            Source::SqlServer(_) => Engine::SqlServer,
        }
    }

    /// Returns the reason why the engine is unavailable.
    pub(crate) fn unavailable_reason(&self) -> Option<String> {
        match &self.source {
            Source::File => None,
            Source::Postgres(source) => source.as_ref().err().cloned(),
            Source::Mysql(source) => source.as_ref().err().cloned(),
            Source::SqlServer(source) => source.as_ref().err().cloned(),
        }
    }

    /// Returns the features of the server, if they are not all supported for sure.
    pub(crate) fn features(&self) -> Option<&ServerFeatures> {
        match &self.source {
            Source::SqlServer(Ok((_, features))) => Some(features),
            _ => None,
        }
    }

    /// Returns the URL of the server; `None` for SQLite. Blocks while the server starts.
    pub(crate) fn server(&self) -> Result<Option<String>, TestError> {
        match &self.source {
            Source::File => Ok(None),
            Source::Postgres(source) => source.as_ref().map_err(String::as_str)?.url().map(Some),
            Source::Mysql(source) => source.as_ref().map_err(String::as_str)?.url().map(Some),
            Source::SqlServer(source) => {
                let (url, _) = source.as_ref().map_err(String::as_str)?;
                Ok(Some(url.clone()))
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test program reads its environment"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// Returns a number from the environment.
pub(crate) fn setting(name: &str, default: usize) -> Result<usize, TestError> {
    match variable(name) {
        Some(text) => text
            .parse()
            .map_err(|_| format!("{name} is not a number: {text}").into()),
        None => Ok(default),
    }
}
