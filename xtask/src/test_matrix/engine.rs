//! The engines, and where each comes from.

use std::fmt;

use clap::ValueEnum;
use lockage_testkit::engine::{MariadbOrigin, PostgresOrigin};

/// An engine of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
    Mariadb,
    Mysql,
}

impl Engine {
    pub(super) fn all() -> Vec<Self> {
        Self::value_variants().to_vec()
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Mariadb => "mariadb",
            Self::Mysql => "mysql",
        }
    }

    /// The backend's crate.
    pub(super) fn package(self) -> &'static str {
        match self {
            Self::Sqlite => "lockage-sqlite",
            Self::Postgres => "lockage-postgres",
            Self::Mariadb | Self::Mysql => "lockage-mysql",
        }
    }

    /// The variable in which a server of one's own is named.
    fn variable(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("LOCKAGE_TEST_POSTGRES_URL"),
            Self::Mariadb => Some("LOCKAGE_TEST_MARIADB_URL"),
            Self::Mysql => Some("LOCKAGE_TEST_MYSQL_URL"),
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An engine that can be had; what was started for it is stopped when this is dropped.
pub(super) struct Cell {
    pub(super) engine: Engine,
    source: Source,
}

enum Source {
    Embedded,
    Postgres(PostgresOrigin),
    Mariadb(MariadbOrigin),
}

impl Cell {
    /// Looks for an engine: the environment first, then the machine. The error says why there is none and how to get it.
    pub(super) fn find(engine: Engine) -> Result<Self, String> {
        let url = engine
            .variable()
            .and_then(|variable| std::env::var(variable).ok());
        let path = std::env::var("PATH").unwrap_or_default();
        let source = match engine {
            Engine::Sqlite => Source::Embedded,
            Engine::Postgres => Source::Postgres(PostgresOrigin::find(url, &path)?),
            Engine::Mariadb => Source::Mariadb(MariadbOrigin::find(url, &path)?),
            Engine::Mysql if url.is_none() => {
                return Err(
                    "set LOCKAGE_TEST_MYSQL_URL to the URL of a superuser of a MySQL server".into(),
                );
            }
            Engine::Mysql => Source::Mariadb(MariadbOrigin::find(url, &path)?),
        };
        Ok(Self { engine, source })
    }

    /// Where it came from.
    pub(super) fn source(&self) -> String {
        match &self.source {
            Source::Embedded => "linked into the tests".into(),
            Source::Postgres(postgres) => postgres.to_string(),
            Source::Mariadb(mariadb) => mariadb.to_string(),
        }
    }

    /// What the tests are told; starts the server where there is none yet.
    pub(super) fn environment(&self) -> Result<Vec<(&'static str, String)>, String> {
        let Some(variable) = self.engine.variable() else {
            return Ok(Vec::new());
        };
        let url = match &self.source {
            Source::Embedded => return Ok(Vec::new()),
            Source::Postgres(postgres) => postgres.url(),
            Source::Mariadb(mariadb) => mariadb.url(),
        };
        Ok(vec![(variable, url.map_err(|error| error.to_string())?)])
    }
}
