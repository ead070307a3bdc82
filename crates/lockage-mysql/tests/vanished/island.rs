//! A network namespace with one way to the test's own host, which can be closed without a word to either side.

use std::process::Command;

use lockage_testkit::{Failure, unique_name};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// Nobody's: what is sent to it is dropped where it arrives.
const NOBODY: &str = "02:00:00:00:00:01";

/// Removed when dropped.
pub(crate) struct Island {
    namespace: String,
    link: String,
    /// The addresses of the host and of the island.
    host: String,
    there: String,
    url: String,
    ferry: AbortHandle,
}

impl Island {
    /// Why there can be none on this machine.
    pub(crate) fn missing() -> Option<String> {
        let name = unique_name("lockage-probe");
        let made = ip(&["netns", "add", &name]);
        if made.is_ok() {
            // An empty one that stays behind harms nobody.
            let _ = ip(&["netns", "del", &name]);
        }
        made.err()
            .map(|failure| format!("no network namespaces here ({failure})"))
    }

    /// Makes one from which the database of a URL can be reached.
    pub(crate) async fn make(url: &str) -> Result<Self, Failure> {
        let namespace = unique_name("lockage");
        // An interface's name has at most 15 characters. The addresses are of a range for tests of networks.
        let number = fastrand::u32(0..1 << 14);
        let (link, peer) = (format!("lkg{number}a"), format!("lkg{number}b"));
        let net = format!("198.{}.{}", 18 + (number >> 13), (number >> 6) & 127);
        let first = (number & 63) * 4;
        let (host, there) = (
            format!("{net}.{}", first + 1),
            format!("{net}.{}", first + 2),
        );
        ip(&["netns", "add", &namespace])?;
        let mut island = Self {
            namespace,
            link,
            host,
            there,
            url: String::new(),
            ferry: tokio::spawn(std::future::ready(())).abort_handle(),
        };
        let inside = island.namespace.clone();
        let link = island.link.clone();
        ip(&[
            "link", "add", &link, "type", "veth", "peer", "name", &peer, "netns", &inside,
        ])?;
        ip(&["addr", "add", &format!("{}/30", island.host), "dev", &link])?;
        ip(&["link", "set", &link, "up"])?;
        ip(&[
            "-n",
            &inside,
            "addr",
            "add",
            &format!("{}/30", island.there),
            "dev",
            &peer,
        ])?;
        ip(&["-n", &inside, "link", "set", &peer, "up"])?;
        // The server listens on an address of its own; what comes from the island is handed on to it.
        let (before, server) = url.rsplit_once('@').ok_or("a URL without a user")?;
        let (server, database) = server.split_once('/').ok_or("a URL without a database")?;
        let listener = TcpListener::bind((island.host.as_str(), 0)).await?;
        island.url = format!(
            "{before}@{}/{database}?ssl-mode=disabled",
            listener.local_addr()?
        );
        island.ferry = tokio::spawn(ferry(listener, server.to_owned())).abort_handle();
        Ok(island)
    }

    /// A command that runs this program there.
    pub(crate) fn command(&self) -> Result<Command, Failure> {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.namespace])
            .arg(std::env::current_exe()?);
        Ok(command)
    }

    /// The URL of the database there.
    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Loses every packet from now on, both ways.
    pub(crate) fn cut_off(&self) -> Result<(), Failure> {
        let peer = format!("{}b", self.link.trim_end_matches('a'));
        let lose = ["nud", "permanent", "lladdr", NOBODY, "dev"];
        ip(&[&["neigh", "replace", &self.there][..], &lose, &[&self.link]].concat())?;
        let inside = ["-n", &self.namespace, "neigh", "replace", &self.host];
        ip(&[&inside[..], &lose, &[&peer]].concat())
    }
}

impl Drop for Island {
    fn drop(&mut self) {
        self.ferry.abort();
        // Both ends of the link go as well.
        let _ = ip(&["netns", "del", &self.namespace]);
        let _ = ip(&["link", "del", &self.link]);
    }
}

/// Hands on what comes. It keeps a line whose client is silent, as the network does.
async fn ferry(listener: TcpListener, server: String) {
    while let Ok((mut client, _)) = listener.accept().await {
        let server = server.clone();
        tokio::spawn(async move {
            if let Ok(mut server) = TcpStream::connect(server).await {
                // It ends with either side.
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            }
        });
    }
}

fn ip(arguments: &[&str]) -> Result<(), Failure> {
    let done = Command::new("ip")
        .args(arguments)
        .output()
        .map_err(|error| format!("ip: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(format!("ip {}: {}", arguments.join(" "), said.trim()).into())
}
