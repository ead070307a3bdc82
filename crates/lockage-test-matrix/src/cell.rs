//! The types of a cell: an engine version, its server and its suites.

use std::fmt;

/// An engine, a version, a lock strategy and the suites that run there.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    /// The engine: `postgres`. Command-line filters use this name.
    pub engine: &'static str,
    /// The version, or another property that distinguishes cells of an engine: `18`, `wal`.
    pub version: &'static str,
    /// The lock strategy: `advisory`, `table`, `file`.
    pub lock: &'static str,
    /// How the cell gets its server.
    pub provisioning: Provisioning,
    /// The suites, in the order in which they run.
    pub suites: &'static [Suite],
}

impl Cell {
    /// Returns whether the matrix starts or connects to a server before the suites run.
    pub(crate) fn has_server(&self) -> bool {
        !matches!(
            self.provisioning,
            Provisioning::Embedded | Provisioning::Programs { .. }
        )
    }

    /// Returns whether a filter such as `postgres`, `postgres:18`, `postgres:18:advisory` or `all` matches this cell.
    pub fn matches_filter(&self, filter: &str) -> bool {
        let names = [self.engine, self.version, self.lock];
        let mut parts = filter.split(':');
        filter == "all"
            || names
                .iter()
                .all(|name| parts.next().is_none_or(|part| part == *name))
                && parts.next().is_none()
    }
}

/// Writes `postgres:18 (advisory)`.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} ({})", self.engine, self.version, self.lock)
    }
}

/// How a cell gets its server.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Provisioning {
    /// The engine is linked into the tests; no server is needed.
    Embedded,
    /// The suites start a server themselves, from programs on this machine.
    Programs {
        /// The files that must exist.
        paths: &'static [&'static str],
        /// The packages that contain them.
        packages: &'static [&'static str],
    },
    /// One server.
    Server(Server),
    /// Three Galera nodes. The suites get one URL in the server's variable and all three URLs, separated by commas, in
    /// `LOCKAGE_TEST_GALERA_URLS`.
    Galera(Server),
    /// A server with a pooler in front of it. The suites get the pooler's URL in the server's variable.
    Pooled {
        /// The image of PgBouncer.
        pooler: LocalImage,
        /// The pool mode: `session` or `transaction`.
        mode: &'static str,
        /// The server of the pooler.
        server: Server,
    },
}

/// A server and its possible sources.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Server {
    /// The version. It selects programs on this machine and is part of the variable for the URL of this version.
    pub version: &'static str,
    /// The environment variable that contains the URL for the suites. The user sets it to use an existing server.
    pub variable: &'static str,
    /// The scheme of the URL.
    pub scheme: &'static str,
    /// The published image of the engine.
    pub published_image: Option<PublishedImage>,
    /// The local image.
    pub local_image: Option<LocalImage>,
    /// The programs on this machine.
    pub binaries: Option<Binaries>,
}

/// An image from a registry. `{password}` in the environment and the arguments is replaced by the password.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PublishedImage {
    /// The image: `postgres:18`.
    pub image: &'static str,
    /// The port inside the container.
    pub port: u16,
    /// The user of the URL.
    pub user: &'static str,
    /// The database of the URL.
    pub database: &'static str,
    /// The query of the URL, with its question mark.
    pub query: &'static str,
    /// The environment of the container.
    pub environment: &'static [(&'static str, &'static str)],
    /// The arguments of the container.
    pub arguments: &'static [&'static str],
    /// The folder of the data, for tests with a full disk.
    pub data: Option<DataFolder>,
}

/// A local image, built from Debian packages by the command `images`. See `tests/containers/README.md`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LocalImage {
    /// The image without the repository that all local images share: `postgres:18`.
    pub image: &'static str,
    /// The folder of the Dockerfile.
    pub folder: &'static str,
    /// The Debian suite of the base image.
    pub suite: &'static str,
    /// Build arguments in addition to `SUITE`.
    pub arguments: &'static [&'static str],
    /// The folder of the data, for tests with a full disk.
    pub data: Option<DataFolder>,
}

/// A folder of a container with all files that the server writes, and a sufficient size for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DataFolder {
    /// The path of the folder: `/data`.
    pub folder: &'static str,
    /// The size as an option of a tmpfs mount: `150m`.
    pub size: &'static str,
}

impl LocalImage {
    /// Returns the full name of the image.
    pub fn name(&self) -> String {
        format!("lockage-test/{}", self.image)
    }
}

/// Programs on this machine and how to start them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binaries {
    /// Starts a [`PostgresServer`](crate::engine::PostgresServer).
    Postgres,
    /// Starts a [`MariadbServer`](crate::engine::MariadbServer).
    Mariadb,
}

/// A test program that runs in a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Suite {
    /// The name of the suite in the output.
    pub name: &'static str,
    /// The path of the `Cargo.toml` of its workspace, relative to the folder in which Cargo runs; empty for the workspace in that folder.
    pub manifest: &'static str,
    /// The package of the test program.
    pub package: &'static str,
    /// The `[[test]]` target; empty for the unit tests of the package's library.
    pub target: &'static str,
    /// Environment variables in addition to the URL.
    pub environment: &'static [(&'static str, &'static str)],
    /// The condition on which the suite runs.
    pub condition: RunCondition,
}

impl Suite {
    /// Creates a suite of this workspace that always runs and gets only the URL.
    pub const fn new(name: &'static str, package: &'static str, target: &'static str) -> Self {
        Self {
            name,
            manifest: "",
            package,
            target,
            environment: &[],
            condition: RunCondition::Always,
        }
    }
}

/// The condition on which a suite runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunCondition {
    /// Always.
    Always,
    /// Only with `--faults`.
    Faults,
    /// Only with `--faults`, on a separate server with a small disk. The shell command in `LOCKAGE_TEST_FILL` fills the disk, and the
    /// command in `LOCKAGE_TEST_EMPTY` frees the space again.
    FullDisk,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_matches_engine_version_and_lock() {
        let cell = Cell {
            engine: "postgres",
            version: "18",
            lock: "table",
            provisioning: Provisioning::Embedded,
            suites: &[],
        };
        for name in ["all", "postgres", "postgres:18", "postgres:18:table"] {
            assert!(cell.matches_filter(name), "{name}");
        }
        for name in [
            "",
            "post",
            "postgres:1",
            "postgres:18:",
            "postgres:18:advisory",
            "postgres:18:table:x",
        ] {
            assert!(!cell.matches_filter(name), "{name}");
        }
    }
}
