use std::net::Ipv4Addr;
use std::process::Command;

use crate::Failure;
use crate::process_mark::ProcessMark;

/// What is sent to it is dropped where it arrives.
const NOBODY: &str = "02:00:00:00:00:01";

/// Before every namespace's name.
const PREFIX: &str = "lockage-";

/// How often other numbers are tried when somebody has these.
const TRIES: u32 = 20;

/// A host of its own, a network namespace, with one line to this host, which can be lost without a word to either side. What listens on this
/// host's loopback interface is reached from there. Gone when dropped; what a killed process left is removed by the next that makes one.
///
/// Needs Linux, root, iproute2 and iptables.
#[derive(Debug)]
pub struct Island {
    name: String,
    /// Both ends of the line.
    near: String,
    far: String,
    /// This host and the island, as each other know them.
    mainland: Ipv4Addr,
    shore: Ipv4Addr,
}

impl Island {
    /// Why there can be none on this machine.
    pub fn missing() -> Option<String> {
        Self::new()
            .err()
            .map(|failure| format!("no network namespaces here: {failure}"))
    }

    /// Makes one.
    ///
    /// # Errors
    /// What the machine has not, or does not allow.
    pub fn new() -> Result<Self, Failure> {
        sweep();
        let mut tries = 0;
        loop {
            tries += 1;
            match Self::make(fastrand::u32(0..1 << 15)) {
                Err(failure) if tries < TRIES && failure.to_string().contains("exists") => {}
                made => return made,
            }
        }
    }

    fn make(number: u32) -> Result<Self, Failure> {
        // 198.18.0.0/15 is for tests of networks; each island takes four addresses.
        let net = u32::from(Ipv4Addr::new(198, 18, 0, 0)) + 4 * number;
        let name = format!("{PREFIX}{}-{number}", ProcessMark::this().written('-'));
        ip(&["netns", "add", &name])?;
        let island = Self {
            near: format!("lki{number}a"),
            far: format!("lki{number}b"),
            mainland: Ipv4Addr::from(net + 1),
            shore: Ipv4Addr::from(net + 2),
            name,
        };
        let (near, far) = (island.near.as_str(), island.far.as_str());
        let there = ["-n", island.name.as_str()];
        let mainland = island.mainland.to_string();
        ip(&[
            "link",
            "add",
            near,
            "type",
            "veth",
            "peer",
            "name",
            far,
            "netns",
            &island.name,
        ])?;
        ip(&["addr", "add", &format!("{mainland}/30"), "dev", near])?;
        ip(&["link", "set", near, "up"])?;
        let shore = format!("{}/30", island.shore);
        ip(&[&there[..], &["addr", "add", &shore, "dev", far]].concat())?;
        ip(&[&there[..], &["link", "set", far, "up"]].concat())?;
        ip(&[&there[..], &["link", "set", "lo", "up"]].concat())?;
        ip(&[&there[..], &["route", "add", "default", "via", &mainland]].concat())?;
        // What is sent to this host goes to its loopback interface: no program stands between, which would answer for one that is gone.
        let lets_in = format!("/proc/sys/net/ipv4/conf/{near}/route_localnet");
        std::fs::write(&lets_in, "1").map_err(|error| format!("{lets_in}: {error}"))?;
        let rule = format!(
            "-A PREROUTING -i {near} -d {mainland} -p tcp -m comment --comment {} -j DNAT --to-destination 127.0.0.1",
            island.name
        );
        nat(&rule)?;
        Ok(island)
    }

    /// What stands before a program's name to run it there.
    pub fn there(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.name]
    }

    /// A server's URL as it is written there.
    pub fn url(&self, url: &str) -> String {
        let start = url.find("//").map_or(0, |at| at + 2);
        let end = url[start..]
            .find(['/', '?'])
            .map_or(url.len(), |at| start + at);
        let host = url[start..end]
            .rfind('@')
            .map_or(start, |at| start + at + 1);
        let bare = url[host..end].split(':').next().unwrap_or_default();
        if bare == "localhost" || bare.starts_with("127.") {
            return format!(
                "{}{}{}",
                &url[..host],
                self.mainland,
                &url[host + bare.len()..]
            );
        }
        url.to_owned()
    }

    /// Loses every packet from now on, both ways.
    ///
    /// # Errors
    /// What the system said.
    pub fn cut_off(&self) -> Result<(), Failure> {
        let lose = ["lladdr", NOBODY, "nud", "permanent", "dev"];
        let (mainland, shore) = (self.mainland.to_string(), self.shore.to_string());
        ip(&[&["neigh", "replace", &shore][..], &lose, &[&self.near]].concat())?;
        let there = ["-n", &self.name, "neigh", "replace", &mainland];
        ip(&[&there[..], &lose, &[&self.far]].concat())
    }
}

impl Drop for Island {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Removes the islands of processes that are no more.
fn sweep() {
    let list = Command::new("ip").args(["netns", "list"]).output();
    let list = list.map(|list| list.stdout).unwrap_or_default();
    for line in String::from_utf8_lossy(&list).lines() {
        let name = line.split(' ').next().unwrap_or_default();
        let owner = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.rsplit_once('-'));
        if let Some((owner, _)) = owner
            && ProcessMark::parse(owner, '-').is_some_and(|owner| owner.is_gone())
        {
            remove(name);
        }
    }
}

/// Removes one, as much of it as there is.
fn remove(name: &str) {
    if let Ok(rules) = nat("-S PREROUTING") {
        let comment = format!(" --comment {name} ");
        for rule in rules.lines().filter(|rule| rule.contains(&comment)) {
            let _ = nat(&rule.replacen("-A", "-D", 1));
        }
    }
    // The line goes as well, when the last process there is gone.
    let _ = ip(&["netns", "del", name]);
}

fn nat(rule: &str) -> Result<String, Failure> {
    let arguments = ["-w", "-t", "nat"].into_iter().chain(rule.split(' '));
    run("iptables", &arguments.collect::<Vec<_>>())
}

fn ip(arguments: &[&str]) -> Result<(), Failure> {
    run("ip", arguments).map(drop)
}

fn run(program: &str, arguments: &[&str]) -> Result<String, Failure> {
    let done = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(format!("{program} {}: {}", arguments.join(" "), said.trim()).into())
}
