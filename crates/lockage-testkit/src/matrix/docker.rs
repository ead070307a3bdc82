//! Containers, by the command line of docker or podman.

use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::command::output;
use crate::Failure;
use crate::process_mark::ProcessMark;

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

    /// Shell commands that leave no room on the disk of a folder, and that give it back.
    pub(super) fn fill_and_empty(&self, folder: &str) -> (String, String) {
        let inside = |words: &str| format!("{} exec {} sh -c '{words}'", self.docker.0, self.name);
        (
            inside(&format!(
                "cat /dev/zero >{folder}/ballast 2>/dev/null; true"
            )),
            inside(&format!("rm -f {folder}/ballast")),
        )
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

/// The process that a container belongs to, and its machine.
#[derive(Debug, PartialEq)]
pub(super) struct Owner {
    host: String,
    process: ProcessMark,
}

impl Owner {
    pub(super) fn this() -> Self {
        Self {
            host: rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .replace('/', "-"),
            process: ProcessMark::this(),
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (host, process) = text.split_once('/')?;
        Some(Self {
            host: host.to_owned(),
            process: ProcessMark::parse(process, '/')?,
        })
    }

    /// Whether it lived on this machine and does not any more.
    pub(super) fn is_gone(&self) -> bool {
        self.host == Self::this().host && self.process.is_gone()
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.host, self.process.written('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lived_here_and_is_no_more_is_gone() {
        let this = Owner::this();
        assert_eq!(Owner::parse(&this.to_string()).unwrap(), this);
        assert!(!this.is_gone());
        let dead = format!("{}/{}/1", this.host, std::process::id());
        assert!(Owner::parse(&dead).unwrap().is_gone());
        let elsewhere = format!("elsewhere.example/{}/1", std::process::id());
        assert!(!Owner::parse(&elsewhere).unwrap().is_gone());
        assert_eq!(Owner::parse("kept"), None);
    }
}
