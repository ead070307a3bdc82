//! The engines, and where each comes from.

use std::fmt;

use clap::ValueEnum;
use lockage_testkit::engine::PostgresOrigin;

/// An engine of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub(super) fn all() -> Vec<Self> {
        Self::value_variants().to_vec()
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    /// The backend's crate.
    pub(super) fn package(self) -> &'static str {
        match self {
            Self::Sqlite => "lockage-sqlite",
            Self::Postgres => "lockage-postgres",
        }
    }

    /// The variable in which a server of one's own is named.
    fn variable(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("LOCKAGE_TEST_POSTGRES_URL"),
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
        };
        Ok(Self { engine, source })
    }

    /// Where it came from.
    pub(super) fn source(&self) -> String {
        match &self.source {
            Source::Embedded => "linked into the tests".into(),
            Source::Postgres(postgres) => postgres.to_string(),
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
        };
        Ok(vec![(variable, url.map_err(|error| error.to_string())?)])
    }
}
