//! A server of a test's own, which it may stop, and networks that it may cut.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use lockage_testkit::Failure;
use lockage_testkit::engine::PostgresServer;
use tokio_postgres::NoTls;

/// Why there can be no server of a test's own.
pub(crate) fn lacks_server(path: &str) -> Option<String> {
    PostgresServer::find(path).is_none().then(|| {
        "no PostgreSQL server on this machine that may be stopped: install its package".into()
    })
}

/// Why no network can be cut.
pub(crate) fn lacks_network() -> Option<String> {
    for (program, arguments) in [
        ("ip", &["-V"][..]),
        ("iptables", &["--version"]),
        ("unshare", &["--net", "true"]),
    ] {
        let ran = Command::new(program).args(arguments).output();
        if !ran.as_ref().is_ok_and(|ran| ran.status.success()) {
            return Some(format!(
                "no network namespaces: `{program}` is missing or not allowed (root, iproute2 and iptables)"
            ));
        }
    }
    None
}

/// A server of the newest binaries.
pub(crate) fn server(path: &str, settings: &[&str]) -> Result<PostgresServer, Failure> {
    let binaries = PostgresServer::find(path).ok_or("no binaries")?;
    PostgresServer::start(&binaries, settings)
}

/// Lets clients in from every address.
pub(crate) async fn open_to_all(server: &PostgresServer) -> Result<(), Failure> {
    let file = server.folder().join("data/pg_hba.conf");
    let mut rules = std::fs::read_to_string(&file)?;
    rules.push_str("\nhost all all 0.0.0.0/0 scram-sha-256\n");
    std::fs::write(&file, rules)?;
    let (client, connection) = tokio_postgres::connect(&server.url("postgres"), NoTls).await?;
    tokio::spawn(connection);
    Ok(client.batch_execute("SELECT pg_reload_conf()").await?)
}

/// A host of its own behind a line to this one; gone when dropped.
pub(crate) struct Island {
    name: String,
    line: String,
    /// This host, as seen from there.
    pub(crate) mainland: String,
}

static ISLANDS: AtomicU32 = AtomicU32::new(0);

impl Island {
    pub(crate) fn new() -> Result<Self, Failure> {
        let pid = std::process::id();
        let number = ISLANDS.fetch_add(1, Ordering::Relaxed);
        let name = format!("lk{pid}-{number}");
        let (line, far) = (
            format!("lk{:x}h{number}", pid),
            format!("lk{:x}n{number}", pid),
        );
        let net = format!("10.{}.{}", 64 + pid % 128, (pid / 128 + number) % 256);
        let island = Self {
            mainland: format!("{net}.1"),
            name,
            line,
        };
        let (name, line) = (&island.name, &island.line);
        for command in [
            format!("netns add {name}"),
            format!("link add {line} type veth peer name {far} netns {name}"),
            format!("addr add {net}.1/30 dev {line}"),
            format!("link set {line} up"),
            format!("-n {name} addr add {net}.2/30 dev {far}"),
            format!("-n {name} link set {far} up"),
            format!("-n {name} link set lo up"),
            format!("-n {name} route add default via {net}.1"),
        ] {
            run("ip", &command)?;
        }
        Ok(island)
    }

    /// What stands before a program's name to run it there.
    pub(crate) fn there(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.name]
    }

    /// Not a packet goes either way any more, and nobody is told.
    pub(crate) fn sink(&self) -> Result<(), Failure> {
        for chain in ["INPUT", "OUTPUT"] {
            run(
                "ip",
                &format!("netns exec {} iptables -I {chain} -j DROP", self.name),
            )?;
        }
        Ok(())
    }
}

impl Drop for Island {
    fn drop(&mut self) {
        let _ = run("ip", &format!("link del {}", self.line));
        let _ = run("ip", &format!("netns del {}", self.name));
    }
}

fn run(program: &str, arguments: &str) -> Result<(), Failure> {
    let ran = Command::new(program).args(arguments.split(' ')).output()?;
    if ran.status.success() {
        return Ok(());
    }
    Err(format!(
        "{program} {arguments}: {}",
        String::from_utf8_lossy(&ran.stderr)
    )
    .into())
}
