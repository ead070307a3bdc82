//! What stands for a cell while its suites run.

use std::any::Any;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::cell::{Cell, Data, Official, Own, Place};
use super::docker::{Container, Docker};
use super::origin::{Found, Origin, PoolerOrigin};
use super::probe::Probe;
use crate::Failure;
use crate::engine::{MariadbServer, PostgresServer};

/// No server needs longer until it answers a query.
const DEADLINE: Duration = Duration::from_secs(180);

/// How often other ports are tried when somebody else took one first.
const TRIES: u32 = 5;

/// Servers; ended when dropped.
pub(super) struct Stand {
    /// The way in for the suites; empty where the engine is linked.
    pub(super) urls: Vec<String>,
    /// Shell commands that kill the server, or one of them, and start it again, where that can be done.
    pub(super) kill_and_start: Option<(String, String)>,
    /// Shell commands that fill the server's disk and make room again, where it is small.
    pub(super) fill_and_empty: Option<(String, String)>,
    /// Commands that remove what was kept.
    pub(super) kept: Vec<String>,
    _servers: Vec<Box<dyn Any>>,
}

/// How servers stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Removed at the end.
    Passing,
    /// Left where they are.
    Kept,
    /// Removed at the end, and on a disk that they hardly fit on.
    OnSmallDisk,
}

/// Why there is no server on a small disk.
pub(super) fn no_small_disk(found: &Found) -> Option<&'static str> {
    let data = match found {
        Found::Server(Origin::Own(_, own)) => own.data,
        Found::Server(Origin::Official(_, official)) => official.data,
        _ => None,
    };
    data.is_none()
        .then_some("only a container can be given a disk that may be filled")
}

/// Where a server listens, and who may enter.
struct Address {
    scheme: &'static str,
    user: String,
    password: String,
    port: u16,
    tail: String,
}

impl Address {
    fn url(&self) -> String {
        format!(
            "{}://{}:{}@127.0.0.1:{}/{}",
            self.scheme,
            self.user,
            self.password.replace(' ', "%20").replace('/', "%2F"),
            self.port,
            self.tail
        )
    }
}

impl Stand {
    /// Starts what was found and waits until it answers a query.
    pub(super) fn start(
        found: &Found,
        cell: &Cell,
        probe: &Probe,
        manner: Manner,
    ) -> Result<Self, Failure> {
        let mut last = None;
        for _ in 0..TRIES {
            match Self::try_start(found, cell, probe, manner) {
                Ok(stand) => return Ok(stand),
                Err(NotUp::Ended(said)) => last = Some(said),
                Err(NotUp::Failed(failure)) => return Err(failure),
            }
        }
        Err(format!(
            "it ended by itself {TRIES} times; it said: {}",
            last.unwrap_or_default()
        )
        .into())
    }

    fn try_start(found: &Found, cell: &Cell, probe: &Probe, manner: Manner) -> Result<Self, NotUp> {
        let mut stand = Self {
            urls: Vec::new(),
            kill_and_start: None,
            fill_and_empty: None,
            kept: Vec::new(),
            _servers: Vec::new(),
        };
        match (found, &cell.place) {
            (Found::Server(origin), Place::Server(server)) => {
                stand.server(origin, server.scheme, probe, manner)?;
            }
            (Found::Nodes(urls), _) => stand.urls.clone_from(urls),
            (Found::Galera(docker, own), Place::Galera(server)) => {
                stand.galera(*docker, own, server.scheme, probe, manner)?;
            }
            (Found::Pooled(pooler, origin), Place::Pooled { mode, server, .. }) => {
                let behind = stand.server(origin, server.scheme, probe, manner)?;
                stand.pooler(pooler, &behind, mode, probe, manner)?;
            }
            _ => {}
        }
        Ok(stand)
    }

    fn server(
        &mut self,
        origin: &Origin,
        scheme: &'static str,
        probe: &Probe,
        manner: Manner,
    ) -> Result<Option<Address>, NotUp> {
        let address = match origin {
            Origin::Url(url) => {
                probe
                    .ask(url)
                    .map_err(|error| format!("nobody answers there: {error}"))?;
                self.urls.push(url.clone());
                return Ok(None);
            }
            Origin::Official(docker, official) => {
                let address = official_address(official, scheme)?;
                let container = start_official(*docker, official, &address, manner)?;
                self.stands(container, &address, probe, small(official.data, manner))?;
                address
            }
            Origin::Own(docker, own) => {
                let address = own_address(scheme)?;
                let container = start_own(*docker, own, &address, &[], manner)?;
                self.stands(container, &address, probe, small(own.data, manner))?;
                address
            }
            Origin::Postgres(folder) => {
                let server = PostgresServer::start(folder, &[])?;
                let (user, password) = (PostgresServer::USER, PostgresServer::PASSWORD);
                let address = local(scheme, user, password, server.port(), "postgres");
                self._servers.push(Box::new(server));
                address
            }
            Origin::Mariadb(binaries) => {
                let server = MariadbServer::start(binaries, &[])?;
                let (user, password) = (MariadbServer::USER, MariadbServer::PASSWORD);
                let address = local(scheme, user, password, server.port(), "lockage");
                self._servers.push(Box::new(server));
                address
            }
        };
        self.urls.push(address.url());
        Ok(Some(address))
    }

    /// Waits for a container and keeps it.
    fn stands(
        &mut self,
        container: Container,
        address: &Address,
        probe: &Probe,
        small: Option<Data>,
    ) -> Result<(), NotUp> {
        wait(&container, &address.url(), probe)?;
        match small {
            // What is on such a disk goes with a stop.
            Some(data) => self.fill_and_empty = Some(container.fill_and_empty(data.folder)),
            None => self.kill_and_start = Some((container.kill(), container.start_again())),
        }
        self.keeps(container);
        Ok(())
    }

    fn keeps(&mut self, container: Container) {
        self.kept.push(container.remove());
        self._servers.push(Box::new(container));
    }

    fn galera(
        &mut self,
        docker: Docker,
        own: &Own,
        scheme: &'static str,
        probe: &Probe,
        manner: Manner,
    ) -> Result<(), NotUp> {
        let ports = free_ports(12)?;
        let group: Vec<String> = ports
            .chunks(4)
            .map(|node| format!("127.0.0.1:{}", node[1]))
            .collect();
        let password = password();
        let mut nodes = Vec::new();
        for (index, node) in ports.chunks(4).enumerate() {
            let address = local(scheme, "lockage", &password, node[0], "lockage");
            let more = [
                format!("GALERA_PORT={}", node[1]),
                format!("GALERA_IST_PORT={}", node[2]),
                format!("GALERA_SST_PORT={}", node[3]),
                format!("GALERA_NODES={}", group.join(",")),
                format!("GALERA_BOOTSTRAP={}", u8::from(index == 0)),
            ];
            let container = start_own(docker, own, &address, &more, manner)?;
            // A joiner takes its data from the first, which has to be there.
            wait(&container, &address.url(), probe)?;
            self.urls.push(address.url());
            nodes.push(container);
        }
        // Not the first, by which the suites look in.
        self.kill_and_start = nodes.last().map(|node| (node.kill(), node.start_again()));
        nodes.into_iter().for_each(|node| self.keeps(node));
        Ok(())
    }

    fn pooler(
        &mut self,
        pooler: &PoolerOrigin,
        behind: &Option<Address>,
        mode: &str,
        probe: &Probe,
        manner: Manner,
    ) -> Result<(), NotUp> {
        let Some(behind) = behind else {
            return Err(NotUp::from(
                "a pooler needs a server of our own behind it: unset the server's URL",
            ));
        };
        let address = Address {
            port: free_ports(1)?[0],
            tail: behind.tail.clone(),
            user: behind.user.clone(),
            password: behind.password.clone(),
            scheme: behind.scheme,
        };
        match pooler {
            PoolerOrigin::Own(docker, own) => {
                let more = [
                    format!("SERVER_PORT={}", behind.port),
                    format!("POOL_MODE={mode}"),
                ];
                let container = start_own(*docker, own, &address, &more, manner)?;
                wait(&container, &address.url(), probe)?;
                self.keeps(container);
            }
            PoolerOrigin::Binary(program) => {
                let mut pooler = Pooler::start(program, &address, behind.port, mode)?;
                let begun = Instant::now();
                while let Err(error) = probe.ask(&address.url()) {
                    pooler.still_runs()?;
                    if begun.elapsed() > DEADLINE {
                        return Err(format!(
                            "PgBouncer does not answer after {DEADLINE:?}: {error}"
                        )
                        .into());
                    }
                }
                self._servers.push(Box::new(pooler));
            }
        }
        // The pooler goes first.
        self._servers.reverse();
        self.urls = vec![address.url()];
        self.kill_and_start = None;
        Ok(())
    }
}

/// Why something does not stand.
enum NotUp {
    /// It ended, perhaps since somebody took its port; what it said.
    Ended(String),
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for NotUp {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

fn local(scheme: &'static str, user: &str, password: &str, port: u16, tail: &str) -> Address {
    Address {
        scheme,
        user: user.to_owned(),
        password: password.to_owned(),
        port,
        tail: tail.to_owned(),
    }
}

fn own_address(scheme: &'static str) -> Result<Address, Failure> {
    Ok(local(
        scheme,
        "lockage",
        &password(),
        free_ports(1)?[0],
        "lockage",
    ))
}

fn official_address(official: &Official, scheme: &'static str) -> Result<Address, Failure> {
    let tail = format!("{}{}", official.database, official.query);
    Ok(local(
        scheme,
        official.user,
        &password(),
        free_ports(1)?[0],
        &tail,
    ))
}

fn small(data: Option<Data>, manner: Manner) -> Option<Data> {
    data.filter(|_| manner == Manner::OnSmallDisk)
}

/// The options that make a container's folder a small disk.
fn disk(small: Option<Data>) -> Vec<String> {
    small.map_or(Vec::new(), |Data { folder, size }| {
        vec!["--tmpfs".into(), format!("{folder}:size={size}")]
    })
}

/// On loopback only, with the port of the address inside as outside.
fn start_own(
    docker: Docker,
    own: &Own,
    address: &Address,
    more: &[String],
    manner: Manner,
) -> Result<Container, Failure> {
    let mut options: Vec<String> = vec!["--network".into(), "host".into()];
    let environment = [
        format!("PORT={}", address.port),
        format!("LOCKAGE_USER={}", address.user),
        format!("LOCKAGE_PASSWORD={}", address.password),
        format!("LOCKAGE_DB={}", address.tail),
    ];
    for one in environment.iter().chain(more) {
        options.extend(["--env".into(), one.clone()]);
    }
    options.extend(disk(small(own.data, manner)));
    docker.start(&own.name(), &options, &[], manner == Manner::Kept)
}

fn start_official(
    docker: Docker,
    official: &Official,
    address: &Address,
    manner: Manner,
) -> Result<Container, Failure> {
    let fill = |text: &str| text.replace("{password}", &address.password);
    let mut options = vec![
        "--publish".to_owned(),
        format!("127.0.0.1:{}:{}", address.port, official.port),
    ];
    for (name, value) in official.environment {
        options.extend(["--env".into(), format!("{name}={}", fill(value))]);
    }
    let arguments: Vec<String> = official.arguments.iter().map(|one| fill(one)).collect();
    options.extend(disk(small(official.data, manner)));
    docker.start(official.image, &options, &arguments, manner == Manner::Kept)
}

/// Until the server answers a query, or ends.
fn wait(container: &Container, url: &str, probe: &Probe) -> Result<(), NotUp> {
    let begun = Instant::now();
    while let Err(error) = probe.ask(url) {
        if !container.runs() {
            return Err(NotUp::Ended(container.said()));
        }
        if begun.elapsed() > DEADLINE {
            let said = container.said();
            return Err(format!("no answer after {DEADLINE:?}: {error}; it said: {said}").into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Good enough for any engine's rules, and unlike that of any other server on this machine.
fn password() -> String {
    let tail: String = std::iter::repeat_with(fastrand::alphanumeric)
        .take(20)
        .collect();
    format!("Lk7{tail}")
}

/// Ports that nobody listens on now; below those that systems give to clients.
fn free_ports(count: usize) -> Result<Vec<u16>, Failure> {
    let mut held = Vec::new();
    for _ in 0..10_000 {
        if held.len() == count {
            break;
        }
        let port = fastrand::u16(12_000..32_000);
        held.extend(TcpListener::bind((Ipv4Addr::LOCALHOST, port)));
    }
    let ports: Vec<u16> = held
        .iter()
        .map(|listener| listener.local_addr().map(|address| address.port()))
        .collect::<Result<_, _>>()?;
    if ports.len() == count {
        Ok(ports)
    } else {
        Err("no free ports".into())
    }
}

/// PgBouncer from this machine.
struct Pooler {
    process: Child,
    _folder: tempfile::TempDir,
}

impl Pooler {
    fn start(program: &Path, address: &Address, behind: u16, mode: &str) -> Result<Self, Failure> {
        use std::os::unix::fs::PermissionsExt;
        use std::os::unix::process::CommandExt;

        let folder = tempfile::Builder::new()
            .prefix("lockage-pgbouncer-")
            .tempdir()?;
        let users = folder.path().join("users");
        std::fs::write(
            &users,
            format!("\"{}\" \"{}\"\n", address.user, address.password),
        )?;
        let config = format!(
            "[databases]\n* = host=127.0.0.1 port={behind}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {}\n\
             unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\npool_mode = {mode}\nmax_client_conn = 500\n",
            address.port,
            users.display()
        );
        let path = folder.path().join("pgbouncer.ini");
        std::fs::write(&path, config)?;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
        let mut command = Command::new(program);
        command
            .arg("-q")
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if rustix::process::geteuid().is_root() {
            // It refuses to be root.
            command.uid(65534).gid(65534);
        }
        Ok(Self {
            process: command.spawn()?,
            _folder: folder,
        })
    }

    fn still_runs(&mut self) -> Result<(), NotUp> {
        match self.process.try_wait()? {
            Some(status) => Err(NotUp::Ended(format!("PgBouncer: {status}"))),
            None => Ok(()),
        }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
