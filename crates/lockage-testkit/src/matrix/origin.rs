//! Where what a cell needs comes from: a URL, the makers' image, an image of ours, programs on this machine.

use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::cell::{Binaries, Cell, Official, Own, Place, Server};
use super::command::output;
use super::docker::Docker;
use crate::engine::{MariadbBinaries, MariadbServer, PostgresServer};

/// Where one server comes from.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// It is there.
    Url(String),
    Official(Docker, Official),
    Own(Docker, Own),
    Postgres(PathBuf),
    Mariadb(MariadbBinaries),
}

/// Where a pooler comes from.
#[derive(Debug, Clone)]
pub(super) enum PoolerOrigin {
    Own(Docker, Own),
    Binary(PathBuf),
}

/// Where all that a cell needs comes from.
#[derive(Debug, Clone)]
pub(super) enum Found {
    Embedded,
    /// What was looked for.
    Programs(&'static [&'static str]),
    Server(Origin),
    /// Three nodes that are there.
    Nodes(Vec<String>),
    Galera(Docker, Own),
    Pooled(PoolerOrigin, Origin),
}

/// What is known of this machine.
pub(super) struct Machine<'a> {
    pub(super) docker: Result<Docker, String>,
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
    /// Whether images may be fetched now; else only asked about.
    pub(super) pulls: bool,
}

impl Machine<'_> {
    /// The error says why there is nothing, and how to get it. `first` says whether no cell of this engine stands before this one's version:
    /// a URL without a version is for that one.
    pub(super) fn find(&self, cell: &Cell, first: bool) -> Result<Found, String> {
        match &cell.place {
            Place::Embedded => Ok(Found::Embedded),
            Place::Programs { paths, packages } => {
                match paths.iter().find(|path| !Path::new(path).exists()) {
                    None => Ok(Found::Programs(paths)),
                    Some(missing) => Err(format!(
                        "there is no {missing}: install the packages {}",
                        packages.join(" and ")
                    )),
                }
            }
            Place::Server(server) => match self.url(server, first)? {
                Some(url) => Ok(Found::Server(Origin::Url(url))),
                None => self.server(server).map(Found::Server).map_err(|why| {
                    format!(
                        "{why}; or set {} to the URL of a superuser",
                        of_version(server)
                    )
                }),
            },
            Place::Galera(server) => {
                let variable = "LOCKAGE_TEST_GALERA_URLS";
                if let Some(urls) = (self.environment)(variable).filter(|urls| !urls.is_empty()) {
                    return match first {
                        true => Ok(Found::Nodes(urls.split(',').map(str::to_owned).collect())),
                        false => Err(format!("{variable} names a cluster, for the first version")),
                    };
                }
                let own = server.own.ok_or("no image is known")?;
                self.own(&own)
                    .map(|docker| Found::Galera(docker, own))
                    .map_err(|why| {
                        format!(
                            "set {variable} to the URLs of three nodes, separated by commas; {why}"
                        )
                    })
            }
            Place::Pooled { pooler, server, .. } => {
                let origin = self.server(server)?;
                let docker = match self.own(pooler) {
                    Ok(docker) => {
                        return Ok(Found::Pooled(PoolerOrigin::Own(docker, *pooler), origin));
                    }
                    Err(why) => why,
                };
                [
                    "/usr/sbin/pgbouncer",
                    "/usr/bin/pgbouncer",
                    "/usr/local/bin/pgbouncer",
                ]
                .iter()
                .map(PathBuf::from)
                .find(|path| path.is_file() && says(path, pooler.image))
                .map(|path| Found::Pooled(PoolerOrigin::Binary(path), origin))
                .ok_or_else(|| format!("{docker}; or install the package pgbouncer"))
            }
        }
    }

    /// The URL of a server of one's own.
    fn url(&self, server: &Server, first: bool) -> Result<Option<String>, String> {
        let asked = |name: &str| (self.environment)(name).filter(|url| !url.is_empty());
        let of_version = of_version(server);
        if let Some(url) = asked(&of_version) {
            return Ok(Some(url));
        }
        match asked(server.variable) {
            Some(_) if !first => Err(format!(
                "{} names one server, which was tested once; {of_version} would name this version's",
                server.variable
            )),
            url => Ok(url),
        }
    }

    fn server(&self, server: &Server) -> Result<Origin, String> {
        let mut why = Vec::new();
        if let Some(official) = server.official {
            match self.official(&official) {
                Ok(docker) => return Ok(Origin::Official(docker, official)),
                Err(reason) => why.push(reason),
            }
        }
        if let Some(own) = server.own {
            match self.own(&own) {
                Ok(docker) => return Ok(Origin::Own(docker, own)),
                Err(reason) if !why.contains(&reason) => why.push(reason),
                Err(_) => {}
            }
        }
        let path = (self.environment)("PATH").unwrap_or_default();
        match server.binaries {
            Some(Binaries::Postgres) => match PostgresServer::find(&path) {
                Some(folder) if says(&folder.join("postgres"), server.version) => {
                    return Ok(Origin::Postgres(folder));
                }
                _ => why.push(format!("no PostgreSQL {} is installed", server.version)),
            },
            Some(Binaries::Mariadb) => match MariadbServer::find(&path) {
                Some(found) if says(found.server(), server.version) => {
                    return Ok(Origin::Mariadb(found));
                }
                _ => why.push(format!("no MariaDB {} is installed", server.version)),
            },
            None => {}
        }
        Err(why.join("; "))
    }

    fn official(&self, official: &Official) -> Result<Docker, String> {
        let docker = self.docker.clone()?;
        if docker.has(official.image) {
            return Ok(docker);
        }
        let host = registry(official.image);
        if !answers(host) {
            return Err(format!(
                "the image {} is not here and its registry {host} does not answer",
                official.image
            ));
        }
        if self.pulls {
            docker
                .pull(official.image)
                .map_err(|error| error.to_string())?;
        }
        Ok(docker)
    }

    fn own(&self, own: &Own) -> Result<Docker, String> {
        let docker = self.docker.clone()?;
        match docker.has(&own.name()) {
            true => Ok(docker),
            false => Err(format!(
                "the image {} is not built: `cargo xtask images {}`",
                own.name(),
                own.image
            )),
        }
    }
}

/// The variable that names a server of just this version.
fn of_version(server: &Server) -> String {
    let stem = server.variable.trim_end_matches("_URL");
    format!("{stem}_{}_URL", server.version.replace('.', "_"))
}

/// Whether a program's version is this one: `15` is 15.7, and 10.1 is not 10.11.
fn says(program: &Path, version: &str) -> bool {
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

/// The host of an image's registry.
fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host.contains('.') => host,
        _ => "registry-1.docker.io",
    }
}

fn answers(host: &str) -> bool {
    (host, 443)
        .to_socket_addrs()
        .into_iter()
        .flatten()
        .take(2)
        .any(|address| TcpStream::connect_timeout(&address, Duration::from_secs(5)).is_ok())
}

/// In words, without a password.
impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Url(url) => f.write_str(&shown(url)),
            Self::Official(_, official) => write!(f, "official image {}", official.image),
            Self::Own(_, own) => write!(f, "own image {}", own.name()),
            Self::Postgres(folder) => write!(f, "programs in {}", folder.display()),
            Self::Mariadb(binaries) => write!(f, "programs in {binaries}"),
        }
    }
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embedded => f.write_str("linked into the tests"),
            Self::Programs(paths) => write!(f, "programs: {}", paths.join(", ")),
            Self::Server(origin) => origin.fmt(f),
            Self::Nodes(urls) => {
                let urls: Vec<String> = urls.iter().map(|url| shown(url)).collect();
                f.write_str(&urls.join(", "))
            }
            Self::Galera(_, own) => write!(f, "three of own image {}", own.name()),
            Self::Pooled(PoolerOrigin::Own(_, own), server) => {
                write!(f, "own image {} before {server}", own.name())
            }
            Self::Pooled(PoolerOrigin::Binary(path), server) => {
                write!(f, "{} before {server}", path.display())
            }
        }
    }
}

fn shown(url: &str) -> String {
    lockage_core::DatabaseUrl::parse(url.to_owned())
        .map_or_else(|_| "a URL that is none".into(), |url| url.to_string())
}

#[cfg(test)]
mod tests {
    use super::registry;

    #[test]
    fn an_image_names_its_registry_or_means_dockers() {
        assert_eq!(registry("postgres:18"), "registry-1.docker.io");
        assert_eq!(registry("library/postgres:18"), "registry-1.docker.io");
        assert_eq!(
            registry("mcr.microsoft.com/mssql/server:2022-latest"),
            "mcr.microsoft.com"
        );
    }
}
