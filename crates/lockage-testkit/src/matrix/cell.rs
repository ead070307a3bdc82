//! The table of cells: data, with no code in it.

use std::fmt;

/// An engine, one of its versions and one way to lock on it, and what is run there.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    /// The engine: `postgres`. A name on the command line.
    pub engine: &'static str,
    /// The version, or whatever else tells cells of an engine apart: `18`, `wal`.
    pub version: &'static str,
    /// The lock strategy: `advisory`, `table`, `file`.
    pub lock: &'static str,
    /// What has to stand there.
    pub place: Place,
    /// What is run, in this order.
    pub suites: &'static [Suite],
}

impl Cell {
    /// Whether there is a server before its suites begin.
    pub(super) fn has_server(&self) -> bool {
        !matches!(self.place, Place::Embedded | Place::Programs { .. })
    }

    /// Whether `postgres`, `postgres:18` or `postgres:18:advisory` means this cell.
    pub fn is_meant_by(&self, name: &str) -> bool {
        let own = [self.engine, self.version, self.lock];
        let mut parts = name.split(':');
        name == "all"
            || own
                .iter()
                .all(|own| parts.next().is_none_or(|part| part == *own))
                && parts.next().is_none()
    }
}

/// `postgres:18 (advisory)`.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} ({})", self.engine, self.version, self.lock)
    }
}

/// What has to stand for a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Place {
    /// Nothing: the engine is linked into the tests.
    Embedded,
    /// Programs of this machine, by which the suites start a server themselves.
    Programs {
        /// Files, all of which have to be there.
        paths: &'static [&'static str],
        /// What to install for them.
        packages: &'static [&'static str],
    },
    /// One server.
    Server(Server),
    /// Three Galera nodes. The suites get one URL in the server's variable, and all three, separated by commas, in
    /// `LOCKAGE_TEST_GALERA_URLS`.
    Galera(Server),
    /// A pooler before a server: the suites get the pooler's URL in the server's variable.
    Pooled {
        /// PgBouncer.
        pooler: Own,
        /// `session` or `transaction`.
        mode: &'static str,
        /// The server behind it.
        server: Server,
    },
}

/// A server, and where it can come from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Server {
    /// Its version, for the programs on this machine and in the name of the variable for just this version.
    pub version: &'static str,
    /// The environment variable in which the suites look for its URL, and in which a server of one's own is named.
    pub variable: &'static str,
    /// The scheme of its URL.
    pub scheme: &'static str,
    /// The image that the engine's makers publish.
    pub official: Option<Official>,
    /// The image of our own.
    pub own: Option<Own>,
    /// Its programs on this machine.
    pub binaries: Option<Binaries>,
}

/// An image from a registry. `{password}` stands for the password in its environment and arguments.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Official {
    /// The image: `postgres:18`.
    pub image: &'static str,
    /// The port inside.
    pub port: u16,
    /// The user of the URL.
    pub user: &'static str,
    /// The database of the URL.
    pub database: &'static str,
    /// What follows the database in the URL, with its question mark.
    pub query: &'static str,
    /// The container's environment.
    pub environment: &'static [(&'static str, &'static str)],
    /// Arguments of the container.
    pub arguments: &'static [&'static str],
    /// Where it keeps its data, for the fault of a full disk.
    pub data: Option<Data>,
}

/// An image built from Debian packages by `images`: `tests/containers/README.md`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Own {
    /// The image: `postgres:18`, without the name that all of ours share.
    pub image: &'static str,
    /// The folder of its Dockerfile.
    pub folder: &'static str,
    /// The Debian suite of its base.
    pub suite: &'static str,
    /// Build arguments besides `SUITE`.
    pub arguments: &'static [&'static str],
    /// Where it keeps its data, for the fault of a full disk.
    pub data: Option<Data>,
}

/// A container's folder with all that its server writes, and a size that it is content with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Data {
    /// The folder: `/data`.
    pub folder: &'static str,
    /// As a mount takes it: `150m`.
    pub size: &'static str,
}

impl Own {
    /// The image's full name.
    pub fn name(&self) -> String {
        format!("lockage-test/{}", self.image)
    }
}

/// Programs on this machine, and how to start them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binaries {
    /// [`PostgresServer`](crate::engine::PostgresServer).
    Postgres,
    /// [`MariadbServer`](crate::engine::MariadbServer).
    Mariadb,
}

/// A test program, run in a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Suite {
    /// What it is called in the output.
    pub name: &'static str,
    /// The `Cargo.toml` of its workspace, from the folder in which Cargo is called; empty for the one there.
    pub manifest: &'static str,
    /// The package that it belongs to.
    pub package: &'static str,
    /// Its `[[test]]`; empty for the unit tests of the package's library.
    pub target: &'static str,
    /// What it is told besides the URL.
    pub environment: &'static [(&'static str, &'static str)],
    /// When it is run.
    pub when: When,
}

impl Suite {
    /// One that is run each time, of this workspace, and told nothing but the URL.
    pub const fn new(name: &'static str, package: &'static str, target: &'static str) -> Self {
        Self {
            name,
            manifest: "",
            package,
            target,
            environment: &[],
            when: When::Always,
        }
    }
}

/// When a suite is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Each time.
    Always,
    /// Only with `--faults`.
    Faults,
    /// Only with `--faults`, against one server more whose disk it may fill, by the shell command of `LOCKAGE_TEST_FILL`, and make room
    /// on again, by that of `LOCKAGE_TEST_EMPTY`.
    FullDisk,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_meant_by_its_engine_its_version_and_its_lock() {
        let cell = Cell {
            engine: "postgres",
            version: "18",
            lock: "table",
            place: Place::Embedded,
            suites: &[],
        };
        for name in ["all", "postgres", "postgres:18", "postgres:18:table"] {
            assert!(cell.is_meant_by(name), "{name}");
        }
        for name in [
            "",
            "post",
            "postgres:1",
            "postgres:18:",
            "postgres:18:advisory",
            "postgres:18:table:x",
        ] {
            assert!(!cell.is_meant_by(name), "{name}");
        }
    }
}
