//! Containers, by the command line of docker or podman.

use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::command::output;
use crate::Failure;

/// On every container of ours.
const LABEL: &str = "lockage-test";

/// Names of what stands, for whoever has to end in a hurry.
static STANDING: Mutex<Vec<(&'static str, String)>> = Mutex::new(Vec::new());

/// docker or podman, whichever answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Docker(&'static str);

impl Docker {
    /// The error says why there is none.
    pub(super) fn find() -> Result<Self, String> {
        let mut why = Vec::new();
        for program in ["docker", "podman"] {
            match output(
                Command::new(program).args(["version", "--format", "{{.Server.Version}}"]),
                Duration::from_secs(60),
            ) {
                Ok(_) => return Ok(Self(program)),
                Err(error) => why.push(error.to_string()),
            }
        }
        Err(format!(
            "no container can be run: {}; install docker or podman and start its daemon",
            why.join("; ")
        ))
    }

    pub(super) fn program(self) -> &'static str {
        self.0
    }

    pub(super) fn command(self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.0);
        command.args(arguments);
        command
    }

    fn run(self, arguments: &[&str]) -> Result<String, Failure> {
        output(&mut self.command(arguments), Duration::from_secs(120))
    }

    /// Whether the image is on this machine.
    pub(super) fn has(self, image: &str) -> bool {
        self.run(&["image", "inspect", "--format", "{{.Id}}", image])
            .is_ok()
    }

    /// Gets an image from its registry.
    pub(super) fn pull(self, image: &str) -> Result<(), Failure> {
        output(
            &mut self.command(&["pull", "--quiet", image]),
            Duration::from_secs(900),
        )
        .map(drop)
    }

    /// Removes the containers of runs that are no more; says how many.
    pub(super) fn sweep(self) -> Result<usize, Failure> {
        let format = format!("{{{{.Names}}}} {{{{.Label \"{LABEL}\"}}}}");
        let filter = format!("label={LABEL}");
        let list = self.run(&["ps", "--all", "--filter", &filter, "--format", &format])?;
        let mut swept = 0;
        for line in list.lines() {
            if let Some((name, owner)) = line.split_once(' ')
                && Owner::parse(owner).is_some_and(|owner| owner.is_gone())
            {
                self.run(&["rm", "--force", "--volumes", name])?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    /// Starts a container; it is removed when dropped.
    pub(super) fn start(
        self,
        image: &str,
        options: &[String],
        arguments: &[String],
        keep: bool,
    ) -> Result<Container, Failure> {
        let name = format!("lockage-test-{}", crate::unique_name("c").replace('_', "-"));
        let owner = if keep {
            "kept".to_owned()
        } else {
            Owner::this().to_string()
        };
        // Before it stands: whoever is ended between the two removes one that is not there, which is no harm.
        if !keep {
            standing().push((self.0, name.clone()));
        }
        let container = Container {
            docker: self,
            name,
            keep,
        };
        let mut command = self.command(&["run", "--detach", "--name", &container.name]);
        command.arg("--label").arg(format!("{LABEL}={owner}"));
        command.args(options).arg(image).args(arguments);
        output(&mut command, Duration::from_secs(120))?;
        Ok(container)
    }
}

/// Removes everything that stands, for the handler of a signal.
pub(super) fn remove_all() {
    for (program, name) in standing().drain(..) {
        let _ = output(
            Command::new(program).args(["rm", "--force", "--volumes", &name]),
            Duration::from_secs(60),
        );
    }
}

fn standing() -> std::sync::MutexGuard<'static, Vec<(&'static str, String)>> {
    STANDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A container of ours.
#[derive(Debug)]
pub(super) struct Container {
    docker: Docker,
    pub(super) name: String,
    keep: bool,
}

impl Container {
    pub(super) fn runs(&self) -> bool {
        let format = "{{.State.Running}}";
        self.docker
            .run(&["inspect", "--format", format, &self.name])
            .is_ok_and(|answer| answer == "true")
    }

    /// The end of what it said.
    pub(super) fn said(&self) -> String {
        let both = self
            .docker
            .command(&["logs", "--tail", "15", &self.name])
            .output();
        both.map_or_else(
            |error| error.to_string(),
            |output| {
                let text = [output.stdout, output.stderr].concat();
                String::from_utf8_lossy(&text).trim().to_owned()
            },
        )
    }

    /// A shell command that ends it with SIGKILL, for the suites that do harm.
    pub(super) fn kill(&self) -> String {
        format!("{} kill --signal KILL {}", self.docker.0, self.name)
    }

    /// A shell command that starts it again.
    pub(super) fn start_again(&self) -> String {
        format!("{} start {}", self.docker.0, self.name)
    }

    /// How to remove one that was kept.
    pub(super) fn remove(&self) -> String {
        format!("{} rm --force --volumes {}", self.docker.0, self.name)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        // What cannot be removed now is swept by the next run.
        let _ = self.docker.run(&["rm", "--force", "--volumes", &self.name]);
        standing().retain(|(_, name)| *name != self.name);
    }
}

/// The process that a container belongs to; told apart from a later one of the same number by its beginning.
#[derive(Debug, PartialEq)]
pub(super) struct Owner {
    host: String,
    process: i32,
    begun: String,
}

impl Owner {
    pub(super) fn this() -> Self {
        let process = std::process::id() as i32;
        Self {
            host: rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .replace('/', "-"),
            process,
            begun: begun(process).unwrap_or_default(),
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '/');
        Some(Self {
            host: parts.next()?.to_owned(),
            process: parts.next()?.parse().ok()?,
            begun: parts.next()?.to_owned(),
        })
    }

    /// Whether it lived on this machine and does not any more.
    pub(super) fn is_gone(&self) -> bool {
        let lives = rustix::process::Pid::from_raw(self.process)
            .is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok());
        self.host == Self::this().host
            && !(lives && begun(self.process).unwrap_or_default() == self.begun)
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.host, self.process, self.begun)
    }
}

/// When a process began, where the system tells.
fn begun(process: i32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is the program's name, in brackets, and may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_that_lived_here_and_is_no_more_is_gone() {
        let this = Owner::this();
        assert_eq!(Owner::parse(&this.to_string()).unwrap(), this);
        assert!(!this.is_gone());
        // Another process has the number now.
        let earlier = Owner {
            begun: "1".into(),
            ..Owner::this()
        };
        assert!(earlier.is_gone());
        let mut child = Command::new("true").spawn().unwrap();
        let dead = Owner {
            process: child.id() as i32,
            begun: begun(child.id() as i32).unwrap_or_default(),
            ..Owner::this()
        };
        child.wait().unwrap();
        assert!(dead.is_gone());
        let elsewhere = Owner {
            host: "elsewhere.example".into(),
            ..dead
        };
        assert!(!elsewhere.is_gone());
        assert_eq!(Owner::parse("kept"), None);
    }
}
