//! A server that can be killed.

use std::process::{Command, Stdio};

use lockage_test_matrix::engine::{MariadbBinaries, MariadbServer};
use lockage_testkit::TestError;

/// Where the server comes from.
pub(crate) enum Source {
    Binaries(MariadbBinaries),
    External(ExternalServer),
}

/// A server that was not started by the tests.
pub(crate) struct ExternalServer {
    url: String,
    /// A command that kills the server and starts it again.
    kill_and_start: Option<String>,
}

impl Source {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test program reads its environment"
    )]
    pub(crate) fn find() -> Result<Self, String> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        if let Some(url) =
            variable("LOCKAGE_TEST_MYSQL_URL").or_else(|| variable("LOCKAGE_TEST_MARIADB_URL"))
        {
            return Ok(Self::External(ExternalServer {
                url,
                kill_and_start: variable("LOCKAGE_TEST_KILL_AND_START"),
            }));
        }
        let found = MariadbServer::find(&variable("PATH").unwrap_or_default());
        found
            .map(Self::Binaries)
            .ok_or_else(|| "no MariaDB binaries".into())
    }

    pub(crate) fn can_be_killed(&self) -> bool {
        match self {
            Self::Binaries(_) => true,
            Self::External(server) => server.kill_and_start.is_some(),
        }
    }

    pub(crate) fn start(self) -> Result<Server, TestError> {
        Ok(match self {
            Self::Binaries(binaries) => {
                Server::Managed(Box::new(MariadbServer::start(&binaries, &[])?))
            }
            Self::External(server) => Server::External(server),
        })
    }
}

/// A running server.
pub(crate) enum Server {
    Managed(Box<MariadbServer>),
    External(ExternalServer),
}

impl Server {
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Managed(server) => server.url("lockage"),
            Self::External(server) => server.url.clone(),
        }
    }

    pub(crate) fn can_be_killed(&self) -> bool {
        match self {
            Self::Managed(_) => true,
            Self::External(server) => server.kill_and_start.is_some(),
        }
    }

    /// Kills the server with SIGKILL and starts it again.
    pub(crate) fn kill_and_start(&mut self) -> Result<(), TestError> {
        match self {
            Self::Managed(server) => {
                server.kill()?;
                server.restart()
            }
            Self::External(server) => server.kill_and_start(),
        }
    }
}

impl ExternalServer {
    fn kill_and_start(&self) -> Result<(), TestError> {
        let command = self
            .kill_and_start
            .as_deref()
            .ok_or("LOCKAGE_TEST_KILL_AND_START is not set")?;
        let status = Command::new("sh")
            .args(["-c", command])
            .stdout(Stdio::null())
            .status()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("{command}: {status}").into())
        }
    }
}
