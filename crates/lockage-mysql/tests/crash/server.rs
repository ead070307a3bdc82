use std::process::{Command, Stdio};

use lockage_testkit::TestError;
use lockage_test_matrix::engine::{MariadbBinaries, MariadbServer};

/// Where a server comes from that can be killed.
pub(crate) enum Source {
    Binaries(MariadbBinaries),
    There {
        url: String,
        kill_and_start: Option<String>,
    },
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
            return Ok(Self::There {
                url,
                kill_and_start: variable("LOCKAGE_TEST_KILL_AND_START"),
            });
        }
        let found = MariadbServer::find(&variable("PATH").unwrap_or_default());
        found
            .map(Self::Binaries)
            .ok_or_else(|| "no MariaDB binaries".into())
    }

    pub(crate) fn can_be_killed(&self) -> bool {
        !matches!(
            self,
            Self::There {
                kill_and_start: None,
                ..
            }
        )
    }

    pub(crate) fn start(self) -> Result<Server, TestError> {
        Ok(match self {
            Self::Binaries(binaries) => {
                Server::Own(Box::new(MariadbServer::start(&binaries, &[])?))
            }
            Self::There {
                url,
                kill_and_start,
            } => Server::There {
                url,
                kill_and_start,
            },
        })
    }
}

/// A server that can be killed.
pub(crate) enum Server {
    /// Of ours.
    Own(Box<MariadbServer>),
    /// At a URL, with a command that kills it and starts it again.
    There {
        url: String,
        kill_and_start: Option<String>,
    },
}

impl Server {
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Own(server) => server.url("lockage"),
            Self::There { url, .. } => url.clone(),
        }
    }

    pub(crate) fn can_be_killed(&self) -> bool {
        !matches!(
            self,
            Self::There {
                kill_and_start: None,
                ..
            }
        )
    }

    /// Ends the server with SIGKILL and starts it again.
    pub(crate) fn kill_and_start(&mut self) -> Result<(), TestError> {
        match self {
            Self::Own(server) => {
                server.kill()?;
                server.restart()
            }
            Self::There {
                kill_and_start: Some(command),
                ..
            } => {
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
            Self::There {
                kill_and_start: None,
                ..
            } => Err("nobody said how to kill the server".into()),
        }
    }
}
