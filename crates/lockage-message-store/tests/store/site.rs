//! Where the engines come from.

use lockage_testkit::Failure;
use lockage_testkit::engine::{MariadbOrigin, PostgresOrigin};

use crate::peer::Peer;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
    /// MariaDB too.
    Mysql,
    SqlServer,
}

/// An engine that is there, or the reason why it is not.
pub(crate) struct Site {
    name: &'static str,
    origin: Origin,
}

enum Origin {
    Files,
    Postgres(Result<PostgresOrigin, String>),
    Mysql(Result<MariadbOrigin, String>),
    SqlServer(Result<(String, Peer), String>),
}

impl Site {
    pub(crate) fn all() -> Vec<Self> {
        let path = variable("PATH").unwrap_or_default();
        let mysql = match variable("LOCKAGE_TEST_MYSQL_URL") {
            Some(url) => MariadbOrigin::find(Some(url), ""),
            None => Err("set LOCKAGE_TEST_MYSQL_URL".into()),
        };
        vec![
            Self {
                name: "sqlite",
                origin: Origin::Files,
            },
            Self {
                name: "postgres",
                origin: Origin::Postgres(PostgresOrigin::find(
                    variable("LOCKAGE_TEST_POSTGRES_URL"),
                    &path,
                )),
            },
            Self {
                name: "mariadb",
                origin: Origin::Mysql(MariadbOrigin::find(
                    variable("LOCKAGE_TEST_MARIADB_URL"),
                    &path,
                )),
            },
            Self {
                name: "mysql",
                origin: Origin::Mysql(mysql),
            },
            Self {
                name: "sqlserver",
                origin: Origin::SqlServer(match variable("LOCKAGE_TEST_SQLSERVER_URL") {
                    Some(url) => Peer::ask(&url).map(|peer| (url, peer)),
                    None => Err("set LOCKAGE_TEST_SQLSERVER_URL".into()),
                }),
            },
        ]
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn engine(&self) -> Engine {
        match self.origin {
            Origin::Files => Engine::Sqlite,
            Origin::Postgres(_) => Engine::Postgres,
            Origin::Mysql(_) => Engine::Mysql,
            Origin::SqlServer(_) => Engine::SqlServer,
        }
    }

    /// Why it cannot be had here.
    pub(crate) fn lacks(&self) -> Option<String> {
        match &self.origin {
            Origin::Files => None,
            Origin::Postgres(origin) => origin.as_ref().err().cloned(),
            Origin::Mysql(origin) => origin.as_ref().err().cloned(),
            Origin::SqlServer(origin) => origin.as_ref().err().cloned(),
        }
    }

    /// What the server cannot do.
    pub(crate) fn peer(&self) -> Option<&Peer> {
        match &self.origin {
            Origin::SqlServer(Ok((_, peer))) => Some(peer),
            _ => None,
        }
    }

    /// The URL of the server, where there is one. Blocks while it is started.
    pub(crate) fn server(&self) -> Result<Option<String>, Failure> {
        match &self.origin {
            Origin::Files => Ok(None),
            Origin::Postgres(origin) => origin.as_ref().map_err(String::as_str)?.url().map(Some),
            Origin::Mysql(origin) => origin.as_ref().map_err(String::as_str)?.url().map(Some),
            Origin::SqlServer(origin) => {
                let (url, _) = origin.as_ref().map_err(String::as_str)?;
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

/// A number from the environment.
pub(crate) fn setting(name: &str, default: usize) -> Result<usize, Failure> {
    match variable(name) {
        Some(text) => text
            .parse()
            .map_err(|_| format!("{name} is no number: {text}").into()),
        None => Ok(default),
    }
}
