//! The running servers of a cell.

use std::any::Any;
use std::path::Path;
use std::time::{Duration, Instant};

use lockage_testkit::TestError;

use crate::address::{Address, free_ports, random_password};
use crate::cell::{Cell, DataFolder, LocalImage, Provisioning, PublishedImage};
use crate::docker::{Container, Docker};
use crate::engine::{MariadbServer, PostgresServer};
use crate::pgbouncer::PgBouncer;
use crate::probe::Probe;
use crate::resolve::{Resolved, ResolvedPooler, ResolvedServer};

/// The longest time until a server answers a query.
const START_TIMEOUT: Duration = Duration::from_secs(180);

/// The pause between two probes of a server.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// How often a start is repeated if the server exits, for example because another process took its port.
const MAX_ATTEMPTS: u32 = 5;

/// Running servers. They stop when the value is dropped.
pub(crate) struct Environment {
    /// The URLs for the suites; empty if the engine is linked into the tests.
    pub(crate) urls: Vec<String>,
    /// Shell commands that kill a server and start it again, if possible.
    pub(crate) kill_and_start: Option<(String, String)>,
    /// Shell commands that fill the server's disk and free the space again, if the disk is small.
    pub(crate) fill_and_clear_disk: Option<(String, String)>,
    /// Shell commands that remove kept containers.
    pub(crate) remove_commands: Vec<String>,
    servers: Vec<Box<dyn Any>>,
}

/// How long servers live, and on which disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// Removed with the environment.
    Temporary,
    /// Left running after the program exits.
    Kept,
    /// Removed with the environment, with the data on a small disk.
    SmallDisk,
}

/// Returns the reason why the server cannot have a small disk, or `None` if it can.
pub(crate) fn small_disk_unavailable(resolved: &Resolved) -> Option<&'static str> {
    let data = match resolved {
        Resolved::Server(ResolvedServer::LocalImage(_, image)) => image.data,
        Resolved::Server(ResolvedServer::PublishedImage(_, image)) => image.data,
        _ => None,
    };
    data.is_none()
        .then_some("only a container can have a small disk")
}

/// Why a server did not start.
enum StartError {
    /// The server exited, perhaps because another process took its port. Contains its output. The start may be repeated.
    Exited(String),
    Failed(TestError),
}

impl<E: Into<TestError>> From<E> for StartError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Environment {
    /// Starts the servers of a cell and waits until they answer a query.
    pub(crate) fn start(
        resolved: &Resolved,
        cell: &Cell,
        probe: &Probe,
        lifetime: Lifetime,
    ) -> Result<Self, TestError> {
        let mut last_output = String::new();
        for _ in 0..MAX_ATTEMPTS {
            let starter = Starter { probe, lifetime };
            match starter.environment(resolved, &cell.provisioning) {
                Ok(environment) => return Ok(environment),
                Err(StartError::Exited(output)) => last_output = output,
                Err(StartError::Failed(error)) => return Err(error),
            }
        }
        Err(format!(
            "the server exited {MAX_ATTEMPTS} times during its start; its output: {last_output}"
        )
        .into())
    }

    fn new() -> Self {
        Self {
            urls: Vec::new(),
            kill_and_start: None,
            fill_and_clear_disk: None,
            remove_commands: Vec::new(),
            servers: Vec::new(),
        }
    }

    fn keep(&mut self, container: Container) {
        self.remove_commands.push(container.remove());
        self.servers.push(Box::new(container));
    }

    /// Adds the container of the only server.
    fn adopt(&mut self, container: Container, small_disk: Option<DataFolder>) {
        match small_disk {
            // A small disk is a tmpfs, which loses its content when the container stops. So this server is not killed.
            Some(data) => {
                self.fill_and_clear_disk = Some(container.fill_and_clear_disk(data.folder));
            }
            None => self.kill_and_start = Some((container.kill(), container.restart())),
        }
        self.keep(container);
    }
}

/// Starts servers of one lifetime.
struct Starter<'a> {
    probe: &'a Probe,
    lifetime: Lifetime,
}

impl Starter<'_> {
    fn environment(
        &self,
        resolved: &Resolved,
        provisioning: &Provisioning,
    ) -> Result<Environment, StartError> {
        let mut environment = Environment::new();
        match (resolved, provisioning) {
            (Resolved::Server(source), Provisioning::Server(server)) => {
                self.server(&mut environment, source, server.scheme)?;
            }
            (Resolved::Nodes(urls), _) => environment.urls.clone_from(urls),
            (Resolved::Galera(docker, image), Provisioning::Galera(server)) => {
                self.galera(&mut environment, *docker, image, server.scheme)?;
            }
            (Resolved::Pooled(pooler, source), Provisioning::Pooled { mode, server, .. }) => {
                let address = self.server(&mut environment, source, server.scheme)?;
                let address = address.ok_or(
                    "a pooler needs a server that the matrix starts: unset the server's URL",
                )?;
                self.pooler(&mut environment, pooler, &address, mode)?;
            }
            _ => {}
        }
        Ok(environment)
    }

    /// Starts one server. Returns its address, or `None` for an existing server.
    fn server(
        &self,
        environment: &mut Environment,
        source: &ResolvedServer,
        scheme: &'static str,
    ) -> Result<Option<Address>, StartError> {
        let address = match source {
            ResolvedServer::Url(url) => {
                self.probe
                    .query(url)
                    .map_err(|error| format!("the server does not answer: {error}"))?;
                environment.urls.push(url.clone());
                return Ok(None);
            }
            ResolvedServer::PublishedImage(docker, image) => {
                let address = Address::for_published_image(image, scheme)?;
                let container = self.start_published(*docker, image, &address)?;
                self.wait_ready(&container, &address.url())?;
                environment.adopt(container, self.small_disk(image.data));
                address
            }
            ResolvedServer::LocalImage(docker, image) => {
                let address = Address::for_local_image(scheme)?;
                let container = self.start_local(*docker, image, &address, &[])?;
                self.wait_ready(&container, &address.url())?;
                environment.adopt(container, self.small_disk(image.data));
                address
            }
            ResolvedServer::Postgres(folder) => {
                let server = PostgresServer::start(folder, &[])?;
                let (user, password) = (PostgresServer::USER, PostgresServer::PASSWORD);
                let address = Address::new(scheme, user, password, server.port(), "postgres");
                environment.servers.push(Box::new(server));
                address
            }
            ResolvedServer::Mariadb(binaries) => {
                let server = MariadbServer::start(binaries, &[])?;
                let (user, password) = (MariadbServer::USER, MariadbServer::PASSWORD);
                let address = Address::new(scheme, user, password, server.port(), "lockage");
                environment.servers.push(Box::new(server));
                address
            }
        };
        environment.urls.push(address.url());
        Ok(Some(address))
    }

    fn galera(
        &self,
        environment: &mut Environment,
        docker: Docker,
        image: &LocalImage,
        scheme: &'static str,
    ) -> Result<(), StartError> {
        let ports = free_ports(12)?;
        let group: Vec<String> = ports
            .chunks(4)
            .map(|node| format!("127.0.0.1:{}", node[1]))
            .collect();
        let password = random_password();
        let mut nodes = Vec::new();
        for (index, node) in ports.chunks(4).enumerate() {
            let address = Address::new(scheme, "lockage", &password, node[0], "lockage");
            let variables = [
                format!("GALERA_PORT={}", node[1]),
                format!("GALERA_IST_PORT={}", node[2]),
                format!("GALERA_SST_PORT={}", node[3]),
                format!("GALERA_NODES={}", group.join(",")),
                format!("GALERA_BOOTSTRAP={}", u8::from(index == 0)),
            ];
            let container = self.start_local(docker, image, &address, &variables)?;
            // A joining node copies its data from the first node, which must be ready.
            self.wait_ready(&container, &address.url())?;
            environment.urls.push(address.url());
            nodes.push(container);
        }
        // The suites read the database through the first node, so another node is killed.
        environment.kill_and_start = nodes.last().map(|node| (node.kill(), node.restart()));
        nodes.into_iter().for_each(|node| environment.keep(node));
        Ok(())
    }

    fn pooler(
        &self,
        environment: &mut Environment,
        pooler: &ResolvedPooler,
        server: &Address,
        mode: &str,
    ) -> Result<(), StartError> {
        let port = free_ports(1)?[0];
        let address = Address::new(
            server.scheme,
            &server.user,
            &server.password,
            port,
            &server.tail,
        );
        match pooler {
            ResolvedPooler::LocalImage(docker, image) => {
                let variables = [
                    format!("SERVER_PORT={}", server.port),
                    format!("POOL_MODE={mode}"),
                ];
                let container = self.start_local(*docker, image, &address, &variables)?;
                self.wait_ready(&container, &address.url())?;
                environment.keep(container);
            }
            ResolvedPooler::Binary(program) => {
                let pooler = self.start_pgbouncer(program, &address, server.port, mode)?;
                environment.servers.push(Box::new(pooler));
            }
        }
        // The pooler stops before its server.
        environment.servers.reverse();
        environment.urls = vec![address.url()];
        environment.kill_and_start = None;
        Ok(())
    }

    fn start_pgbouncer(
        &self,
        program: &Path,
        address: &Address,
        server_port: u16,
        mode: &str,
    ) -> Result<PgBouncer, StartError> {
        let mut pooler = PgBouncer::start(program, address, server_port, mode)?;
        let started_at = Instant::now();
        while let Err(error) = self.probe.query(&address.url()) {
            if let Some(status) = pooler.try_wait()? {
                return Err(StartError::Exited(format!("PgBouncer: {status}")));
            }
            if started_at.elapsed() > START_TIMEOUT {
                return Err(
                    format!("PgBouncer does not answer after {START_TIMEOUT:?}: {error}").into(),
                );
            }
        }
        Ok(pooler)
    }

    /// Starts a container of a local image. It shares the network of the host and listens on the loopback interface only.
    fn start_local(
        &self,
        docker: Docker,
        image: &LocalImage,
        address: &Address,
        further_variables: &[String],
    ) -> Result<Container, TestError> {
        let mut options: Vec<String> = vec!["--network".into(), "host".into()];
        let variables = [
            format!("PORT={}", address.port),
            format!("LOCKAGE_USER={}", address.user),
            format!("LOCKAGE_PASSWORD={}", address.password),
            format!("LOCKAGE_DB={}", address.tail),
        ];
        for variable in variables.iter().chain(further_variables) {
            options.extend(["--env".into(), variable.clone()]);
        }
        options.extend(tmpfs_args(self.small_disk(image.data)));
        docker.start(&image.name(), &options, &[], self.is_kept())
    }

    fn start_published(
        &self,
        docker: Docker,
        image: &PublishedImage,
        address: &Address,
    ) -> Result<Container, TestError> {
        let fill = |text: &str| text.replace("{password}", &address.password);
        let mut options = vec![
            "--publish".to_owned(),
            format!("127.0.0.1:{}:{}", address.port, image.port),
        ];
        for (name, value) in image.environment {
            options.extend(["--env".into(), format!("{name}={}", fill(value))]);
        }
        let arguments: Vec<String> = image
            .arguments
            .iter()
            .map(|argument| fill(argument))
            .collect();
        options.extend(tmpfs_args(self.small_disk(image.data)));
        docker.start(image.image, &options, &arguments, self.is_kept())
    }

    /// Waits until the server answers a query. Fails if the container exits.
    fn wait_ready(&self, container: &Container, url: &str) -> Result<(), StartError> {
        let started_at = Instant::now();
        while let Err(error) = self.probe.query(url) {
            if !container.is_running() {
                return Err(StartError::Exited(container.logs()));
            }
            if started_at.elapsed() > START_TIMEOUT {
                let logs = container.logs();
                return Err(format!(
                    "the server does not answer after {START_TIMEOUT:?}: {error}; its output: {logs}"
                )
                .into());
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    fn small_disk(&self, data: Option<DataFolder>) -> Option<DataFolder> {
        data.filter(|_| self.lifetime == Lifetime::SmallDisk)
    }

    fn is_kept(&self) -> bool {
        self.lifetime == Lifetime::Kept
    }
}

/// Returns the container options that mount a small disk at the data folder.
fn tmpfs_args(small_disk: Option<DataFolder>) -> Vec<String> {
    small_disk.map_or(Vec::new(), |DataFolder { folder, size }| {
        vec!["--tmpfs".into(), format!("{folder}:size={size}")]
    })
}
