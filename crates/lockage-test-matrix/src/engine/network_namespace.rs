use std::net::Ipv4Addr;
use std::process::Command;

use lockage_testkit::TestError;

use crate::process_identity::ProcessIdentity;

/// A link-layer address without a host. Packets sent to it are dropped by the receiver.
const BLACKHOLE: &str = "02:00:00:00:00:01";

/// The start of each namespace's name.
const NAME_PREFIX: &str = "lockage-";

/// How many numbers are tried if another namespace uses the same addresses.
const MAX_ATTEMPTS: u32 = 20;

/// A Linux network namespace that acts as a separate host. One veth pair connects it to this host, and the connection can be lost without
/// notice to either side. Programs in the namespace can reach servers on this host's loopback interface. The namespace is removed when
/// the value is dropped. If its process is killed, the next [`NetworkNamespace::new`] removes it.
///
/// Requires Linux, root, iproute2 and iptables.
#[derive(Debug)]
pub struct NetworkNamespace {
    name: String,
    /// The two ends of the veth pair.
    host_device: String,
    guest_device: String,
    host_addr: Ipv4Addr,
    guest_addr: Ipv4Addr,
}

impl NetworkNamespace {
    /// Returns the reason why this machine cannot create a namespace, or `None` if it can.
    pub fn unavailable_reason() -> Option<String> {
        Self::new()
            .err()
            .map(|error| format!("network namespaces are not available: {error}"))
    }

    /// Creates a namespace.
    ///
    /// # Errors
    /// Fails if a program is missing or the process has no permission.
    pub fn new() -> Result<Self, TestError> {
        remove_stale();
        let mut attempts = 0;
        loop {
            attempts += 1;
            match Self::create(fastrand::u32(0..1 << 15)) {
                Err(error) if attempts < MAX_ATTEMPTS && error.to_string().contains("exists") => {}
                created => return created,
            }
        }
    }

    fn create(number: u32) -> Result<Self, TestError> {
        // 198.18.0.0/15 is reserved for network tests (RFC 2544). Each namespace uses four addresses.
        let net = u32::from(Ipv4Addr::new(198, 18, 0, 0)) + 4 * number;
        let name = format!(
            "{NAME_PREFIX}{}-{number}",
            ProcessIdentity::current().format('-')
        );
        ip(&["netns", "add", &name])?;
        let namespace = Self {
            host_device: format!("lki{number}a"),
            guest_device: format!("lki{number}b"),
            host_addr: Ipv4Addr::from(net + 1),
            guest_addr: Ipv4Addr::from(net + 2),
            name,
        };
        namespace.connect()?;
        Ok(namespace)
    }

    /// Creates the veth pair, the addresses and the routes.
    fn connect(&self) -> Result<(), TestError> {
        let (host, guest) = (self.host_device.as_str(), self.guest_device.as_str());
        let in_guest = ["-n", self.name.as_str()];
        let host_addr = self.host_addr.to_string();
        ip(&[
            &["link", "add", host, "type", "veth"][..],
            &["peer", "name", guest, "netns", &self.name],
        ]
        .concat())?;
        ip(&["addr", "add", &format!("{host_addr}/30"), "dev", host])?;
        ip(&["link", "set", host, "up"])?;
        let guest_net = format!("{}/30", self.guest_addr);
        ip(&[&in_guest[..], &["addr", "add", &guest_net, "dev", guest]].concat())?;
        ip(&[&in_guest[..], &["link", "set", guest, "up"]].concat())?;
        ip(&[&in_guest[..], &["link", "set", "lo", "up"]].concat())?;
        ip(&[
            &in_guest[..],
            &["route", "add", "default", "via", &host_addr],
        ]
        .concat())?;
        // The kernel redirects packets for this host to its loopback interface. A proxy process would keep answering for a lost client.
        let route_localnet = format!("/proc/sys/net/ipv4/conf/{host}/route_localnet");
        std::fs::write(&route_localnet, "1")
            .map_err(|error| format!("{route_localnet}: {error}"))?;
        let rule = format!(
            "-A PREROUTING -i {host} -d {host_addr} -p tcp -m comment --comment {} -j DNAT --to-destination 127.0.0.1",
            self.name
        );
        nat(&rule).map(drop)
    }

    /// Returns the words in front of a program's name that run the program in the namespace.
    pub fn exec_prefix(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.name]
    }

    /// Returns the URL by which a program in the namespace reaches the server at `url`.
    pub fn guest_url(&self, url: &str) -> String {
        let authority = url.find("//").map_or(0, |at| at + 2);
        let end = url[authority..]
            .find(['/', '?'])
            .map_or(url.len(), |at| authority + at);
        let start = url[authority..end]
            .rfind('@')
            .map_or(authority, |at| authority + at + 1);
        let host = url[start..end].split(':').next().unwrap_or_default();
        if host == "localhost" || host.starts_with("127.") {
            return format!(
                "{}{}{}",
                &url[..start],
                self.host_addr,
                &url[start + host.len()..]
            );
        }
        url.to_owned()
    }

    /// Drops all packets in both directions from now on.
    ///
    /// # Errors
    /// Fails if `ip` fails.
    pub fn drop_packets(&self) -> Result<(), TestError> {
        let blackhole = ["lladdr", BLACKHOLE, "nud", "permanent", "dev"];
        let (host_addr, guest_addr) = (self.host_addr.to_string(), self.guest_addr.to_string());
        let replace = ["neigh", "replace", &guest_addr];
        ip(&[&replace[..], &blackhole, &[&self.host_device]].concat())?;
        let replace = ["-n", &self.name, "neigh", "replace", &host_addr];
        ip(&[&replace[..], &blackhole, &[&self.guest_device]].concat())
    }
}

impl Drop for NetworkNamespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Removes the namespaces of processes that have exited.
fn remove_stale() {
    let list = Command::new("ip").args(["netns", "list"]).output();
    let list = list.map(|list| list.stdout).unwrap_or_default();
    for line in String::from_utf8_lossy(&list).lines() {
        let name = line.split(' ').next().unwrap_or_default();
        let owner = name
            .strip_prefix(NAME_PREFIX)
            .and_then(|rest| rest.rsplit_once('-'));
        if let Some((owner, _)) = owner
            && ProcessIdentity::parse(owner, '-').is_some_and(|owner| owner.has_exited())
        {
            remove(name);
        }
    }
}

/// Removes a namespace and its NAT rule. Missing parts are ignored.
fn remove(name: &str) {
    if let Ok(rules) = nat("-S PREROUTING") {
        let comment = format!(" --comment {name} ");
        for rule in rules.lines().filter(|rule| rule.contains(&comment)) {
            let _ = nat(&rule.replacen("-A", "-D", 1));
        }
    }
    // The kernel removes the veth pair after the last process in the namespace has exited.
    let _ = ip(&["netns", "del", name]);
}

fn nat(rule: &str) -> Result<String, TestError> {
    let arguments = ["-w", "-t", "nat"].into_iter().chain(rule.split(' '));
    run("iptables", &arguments.collect::<Vec<_>>())
}

fn ip(arguments: &[&str]) -> Result<(), TestError> {
    run("ip", arguments).map(drop)
}

fn run(program: &str, arguments: &[&str]) -> Result<String, TestError> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} {}: {}", arguments.join(" "), stderr.trim()).into())
}
