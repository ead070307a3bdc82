//! Finds the server of a cell: a URL, a published image, a local image, or programs on this machine.

use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::cell::{Binaries, Cell, LocalImage, Provisioning, PublishedImage, Server};
use crate::command::output;
use crate::docker::Docker;
use crate::engine::{MariadbBinaries, MariadbServer, PostgresServer};

/// The variable with the URLs of three Galera nodes, separated by commas.
const GALERA_URLS: &str = "LOCKAGE_TEST_GALERA_URLS";

/// The usual paths of PgBouncer.
const PGBOUNCER_PATHS: [&str; 3] = [
    "/usr/sbin/pgbouncer",
    "/usr/bin/pgbouncer",
    "/usr/local/bin/pgbouncer",
];

/// The source of one server.
#[derive(Debug, Clone)]
pub(crate) enum ResolvedServer {
    /// An existing server.
    Url(String),
    PublishedImage(Docker, PublishedImage),
    LocalImage(Docker, LocalImage),
    Postgres(PathBuf),
    Mariadb(MariadbBinaries),
}

/// The source of a pooler.
#[derive(Debug, Clone)]
pub(crate) enum ResolvedPooler {
    LocalImage(Docker, LocalImage),
    Binary(PathBuf),
}

/// The sources of everything that a cell needs.
#[derive(Debug, Clone)]
pub(crate) enum Resolved {
    Embedded,
    /// The paths of the programs.
    Programs(&'static [&'static str]),
    Server(ResolvedServer),
    /// Three existing nodes.
    Nodes(Vec<String>),
    Galera(Docker, LocalImage),
    Pooled(ResolvedPooler, ResolvedServer),
}

/// The machine on which the matrix runs.
pub(crate) struct Host<'a> {
    pub(crate) docker: Result<Docker, String>,
    pub(crate) environment: &'a dyn Fn(&str) -> Option<String>,
    /// Whether to pull missing images. If false, only tests whether the registry is reachable.
    pub(crate) pulls: bool,
}

impl Host<'_> {
    /// Returns the source for `cell`, or the reason why none is available and how to provide one. `first` means that the cell has the
    /// first version of its engine in the table: a URL variable without a version applies only to it.
    pub(crate) fn find(&self, cell: &Cell, first: bool) -> Result<Resolved, String> {
        match &cell.provisioning {
            Provisioning::Embedded => Ok(Resolved::Embedded),
            Provisioning::Programs { paths, packages } => {
                match paths.iter().find(|path| !Path::new(path).exists()) {
                    None => Ok(Resolved::Programs(paths)),
                    Some(missing) => Err(format!(
                        "{missing} does not exist: install the packages {}",
                        packages.join(" and ")
                    )),
                }
            }
            Provisioning::Server(server) => match self.url(server, first)? {
                Some(url) => Ok(Resolved::Server(ResolvedServer::Url(url))),
                None => self.server(server).map(Resolved::Server).map_err(|why| {
                    format!(
                        "{why}; or set {} to the URL of a superuser",
                        version_url_variable(server)
                    )
                }),
            },
            Provisioning::Galera(server) => self.galera(server, first),
            Provisioning::Pooled { pooler, server, .. } => {
                let server = self.server(server)?;
                self.pooler(pooler)
                    .map(|pooler| Resolved::Pooled(pooler, server))
            }
        }
    }

    fn galera(&self, server: &Server, first: bool) -> Result<Resolved, String> {
        if let Some(urls) = (self.environment)(GALERA_URLS).filter(|urls| !urls.is_empty()) {
            return match first {
                true => Ok(Resolved::Nodes(
                    urls.split(',').map(str::to_owned).collect(),
                )),
                false => Err(format!(
                    "{GALERA_URLS} names one cluster, which is used for the first version"
                )),
            };
        }
        let image = server.local_image.ok_or("no image is known")?;
        self.local_image(&image)
            .map(|docker| Resolved::Galera(docker, image))
            .map_err(|why| {
                format!("set {GALERA_URLS} to the URLs of three nodes, separated by commas; {why}")
            })
    }

    fn pooler(&self, image: &LocalImage) -> Result<ResolvedPooler, String> {
        let why = match self.local_image(image) {
            Ok(docker) => return Ok(ResolvedPooler::LocalImage(docker, *image)),
            Err(why) => why,
        };
        PGBOUNCER_PATHS
            .iter()
            .map(PathBuf::from)
            .find(|path| path.is_file() && has_version(path, image.image))
            .map(ResolvedPooler::Binary)
            .ok_or_else(|| format!("{why}; or install the package pgbouncer"))
    }

    /// Returns the URL of an existing server.
    fn url(&self, server: &Server, first: bool) -> Result<Option<String>, String> {
        let variable = |name: &str| (self.environment)(name).filter(|url| !url.is_empty());
        let version_variable = version_url_variable(server);
        if let Some(url) = variable(&version_variable) {
            return Ok(Some(url));
        }
        match variable(server.variable) {
            Some(_) if !first => Err(format!(
                "{} names one server, which is used for the first version; set {version_variable} for this version",
                server.variable
            )),
            url => Ok(url),
        }
    }

    fn server(&self, server: &Server) -> Result<ResolvedServer, String> {
        let mut why = Vec::new();
        if let Some(image) = server.published_image {
            match self.published_image(&image) {
                Ok(docker) => return Ok(ResolvedServer::PublishedImage(docker, image)),
                Err(reason) => why.push(reason),
            }
        }
        if let Some(image) = server.local_image {
            match self.local_image(&image) {
                Ok(docker) => return Ok(ResolvedServer::LocalImage(docker, image)),
                Err(reason) if !why.contains(&reason) => why.push(reason),
                Err(_) => {}
            }
        }
        let path = (self.environment)("PATH").unwrap_or_default();
        match server.binaries {
            Some(Binaries::Postgres) => match PostgresServer::find(&path) {
                Some(folder) if has_version(&folder.join("postgres"), server.version) => {
                    return Ok(ResolvedServer::Postgres(folder));
                }
                _ => why.push(format!("PostgreSQL {} is not installed", server.version)),
            },
            Some(Binaries::Mariadb) => match MariadbServer::find(&path) {
                Some(binaries) if has_version(binaries.server(), server.version) => {
                    return Ok(ResolvedServer::Mariadb(binaries));
                }
                _ => why.push(format!("MariaDB {} is not installed", server.version)),
            },
            None => {}
        }
        Err(why.join("; "))
    }

    fn published_image(&self, image: &PublishedImage) -> Result<Docker, String> {
        let docker = self.docker.clone()?;
        if docker.has(image.image) {
            return Ok(docker);
        }
        let host = registry(image.image);
        if !is_reachable(host) {
            return Err(format!(
                "the image {} is not on this machine and its registry {host} is not reachable",
                image.image
            ));
        }
        if self.pulls {
            docker
                .pull(image.image)
                .map_err(|error| error.to_string())?;
        }
        Ok(docker)
    }

    fn local_image(&self, image: &LocalImage) -> Result<Docker, String> {
        let docker = self.docker.clone()?;
        match docker.has(&image.name()) {
            true => Ok(docker),
            false => Err(format!(
                "the image {} is not built: run `cargo xtask images {}`",
                image.name(),
                image.image
            )),
        }
    }
}

/// Returns the variable with the URL of a server of exactly this version.
fn version_url_variable(server: &Server) -> String {
    let stem = server.variable.trim_end_matches("_URL");
    format!("{stem}_{}_URL", server.version.replace('.', "_"))
}

/// Returns whether a program has a version. `15` matches 15.7, and 10.1 does not match 10.11.
fn has_version(program: &Path, version: &str) -> bool {
    let version = version.rsplit(':').next().unwrap_or(version);
    output(
        Command::new(program).arg("--version"),
        Duration::from_secs(60),
    )
    .is_ok_and(|text| {
        text.split(|c: char| !(c.is_ascii_digit() || c == '.'))
            .any(|word| word == version || word.starts_with(&format!("{version}.")))
    })
}

/// Returns the host of an image's registry.
fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host.contains('.') => host,
        _ => "registry-1.docker.io",
    }
}

fn is_reachable(host: &str) -> bool {
    (host, 443)
        .to_socket_addrs()
        .into_iter()
        .flatten()
        .take(2)
        .any(|address| TcpStream::connect_timeout(&address, Duration::from_secs(5)).is_ok())
}

/// Writes the source without a password.
impl std::fmt::Display for ResolvedServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Url(url) => f.write_str(&redacted(url)),
            Self::PublishedImage(_, image) => write!(f, "published image {}", image.image),
            Self::LocalImage(_, image) => write!(f, "local image {}", image.name()),
            Self::Postgres(folder) => write!(f, "programs in {}", folder.display()),
            Self::Mariadb(binaries) => write!(f, "programs in {binaries}"),
        }
    }
}

impl std::fmt::Display for Resolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embedded => f.write_str("linked into the tests"),
            Self::Programs(paths) => write!(f, "programs: {}", paths.join(", ")),
            Self::Server(server) => server.fmt(f),
            Self::Nodes(urls) => {
                let urls: Vec<String> = urls.iter().map(|url| redacted(url)).collect();
                f.write_str(&urls.join(", "))
            }
            Self::Galera(_, image) => write!(f, "three containers of local image {}", image.name()),
            Self::Pooled(ResolvedPooler::LocalImage(_, image), server) => {
                write!(f, "local image {} in front of {server}", image.name())
            }
            Self::Pooled(ResolvedPooler::Binary(path), server) => {
                write!(f, "{} in front of {server}", path.display())
            }
        }
    }
}

fn redacted(url: &str) -> String {
    lockage_core::DatabaseUrl::parse(url.to_owned())
        .map_or_else(|_| "an invalid URL".into(), |url| url.to_string())
}

#[cfg(test)]
mod tests {
    use super::registry;

    #[test]
    fn registry_defaults_to_docker_hub() {
        assert_eq!(registry("postgres:18"), "registry-1.docker.io");
        assert_eq!(registry("library/postgres:18"), "registry-1.docker.io");
        assert_eq!(
            registry("mcr.microsoft.com/mssql/server:2022-latest"),
            "mcr.microsoft.com"
        );
    }
}
