//! Containers, managed by the command line of docker or podman.

use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lockage_testkit::{TestError, unique_name};

use crate::command::output;
use crate::process_identity::ProcessIdentity;

/// The label on every container. Its value is the owner, or [`KEPT`].
const OWNER_LABEL: &str = "lockage-test";

/// The value of the label on a container that stays after the run.
const KEPT: &str = "kept";

/// The programs and names of running containers, for the signal handler.
static RUNNING: Mutex<Vec<(&'static str, String)>> = Mutex::new(Vec::new());

/// The program `docker` or `podman`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Docker(&'static str);

impl Docker {
    /// Returns the first program whose daemon is reachable, or the reason why there is none.
    pub(crate) fn find() -> Result<Self, String> {
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
            "containers are not available: {}; install docker or podman and start its daemon",
            why.join("; ")
        ))
    }

    pub(crate) fn program(self) -> &'static str {
        self.0
    }

    pub(crate) fn command(self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.0);
        command.args(arguments);
        command
    }

    fn run(self, arguments: &[&str]) -> Result<String, TestError> {
        output(&mut self.command(arguments), Duration::from_secs(120))
    }

    /// Returns whether the image is on this machine.
    pub(crate) fn has(self, image: &str) -> bool {
        self.run(&["image", "inspect", "--format", "{{.Id}}", image])
            .is_ok()
    }

    /// Pulls an image from its registry.
    pub(crate) fn pull(self, image: &str) -> Result<(), TestError> {
        output(
            &mut self.command(&["pull", "--quiet", image]),
            Duration::from_secs(900),
        )
        .map(drop)
    }

    /// Removes the containers of runs that have exited. Returns their number.
    pub(crate) fn remove_stale(self) -> Result<usize, TestError> {
        let format = format!("{{{{.Names}}}} {{{{.Label \"{OWNER_LABEL}\"}}}}");
        let filter = format!("label={OWNER_LABEL}");
        let list = self.run(&["ps", "--all", "--filter", &filter, "--format", &format])?;
        let mut removed = 0;
        for line in list.lines() {
            if let Some((name, owner)) = line.split_once(' ')
                && Owner::parse(owner).is_some_and(|owner| owner.has_exited())
            {
                self.run(&["rm", "--force", "--volumes", name])?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Starts a container. It is removed when the value is dropped, unless `keep` is true.
    pub(crate) fn start(
        self,
        image: &str,
        options: &[String],
        arguments: &[String],
        keep: bool,
    ) -> Result<Container, TestError> {
        let name = format!("lockage-test-{}", unique_name("c").replace('_', "-"));
        let owner = if keep {
            KEPT.to_owned()
        } else {
            Owner::current().to_string()
        };
        // Registered before the start: a signal in between removes a container that does not exist, which is harmless.
        if !keep {
            running().push((self.0, name.clone()));
        }
        let container = Container {
            docker: self,
            name,
            keep,
        };
        let mut command = self.command(&["run", "--detach", "--name", &container.name]);
        command.arg("--label").arg(format!("{OWNER_LABEL}={owner}"));
        command.args(options).arg(image).args(arguments);
        output(&mut command, Duration::from_secs(120))?;
        Ok(container)
    }
}

/// Removes all running containers of this process. The signal handler calls it.
pub(crate) fn remove_all() {
    for (program, name) in running().drain(..) {
        let _ = output(
            Command::new(program).args(["rm", "--force", "--volumes", &name]),
            Duration::from_secs(60),
        );
    }
}

fn running() -> std::sync::MutexGuard<'static, Vec<(&'static str, String)>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A started container.
#[derive(Debug)]
pub(crate) struct Container {
    docker: Docker,
    pub(crate) name: String,
    keep: bool,
}

impl Container {
    pub(crate) fn is_running(&self) -> bool {
        let format = "{{.State.Running}}";
        self.docker
            .run(&["inspect", "--format", format, &self.name])
            .is_ok_and(|state| state == "true")
    }

    /// Returns the last lines of the container's output.
    pub(crate) fn logs(&self) -> String {
        let logs = self
            .docker
            .command(&["logs", "--tail", "15", &self.name])
            .output();
        logs.map_or_else(
            |error| error.to_string(),
            |output| {
                let text = [output.stdout, output.stderr].concat();
                String::from_utf8_lossy(&text).trim().to_owned()
            },
        )
    }

    /// Returns a shell command that kills the container with SIGKILL.
    pub(crate) fn kill(&self) -> String {
        format!("{} kill --signal KILL {}", self.docker.0, self.name)
    }

    /// Returns a shell command that starts the container again.
    pub(crate) fn restart(&self) -> String {
        format!("{} start {}", self.docker.0, self.name)
    }

    /// Returns two shell commands: one fills the disk of `folder`, the other frees the space again.
    pub(crate) fn fill_and_clear_disk(&self, folder: &str) -> (String, String) {
        let exec = |script: &str| format!("{} exec {} sh -c '{script}'", self.docker.0, self.name);
        (
            exec(&format!(
                "cat /dev/zero >{folder}/ballast 2>/dev/null; true"
            )),
            exec(&format!("rm -f {folder}/ballast")),
        )
    }

    /// Returns a shell command that removes a kept container.
    pub(crate) fn remove(&self) -> String {
        format!("{} rm --force --volumes {}", self.docker.0, self.name)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        // If this fails, the next run removes the container.
        let _ = self.docker.run(&["rm", "--force", "--volumes", &self.name]);
        running().retain(|(_, name)| *name != self.name);
    }
}

/// The machine and the process that own a container.
#[derive(Debug, PartialEq)]
pub(crate) struct Owner {
    host: String,
    process: ProcessIdentity,
}

impl Owner {
    pub(crate) fn current() -> Self {
        Self {
            host: rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .replace('/', "-"),
            process: ProcessIdentity::current(),
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (host, process) = text.split_once('/')?;
        Some(Self {
            host: host.to_owned(),
            process: ProcessIdentity::parse(process, '/')?,
        })
    }

    /// Returns whether the process ran on this machine and has exited.
    pub(crate) fn has_exited(&self) -> bool {
        self.host == Self::current().host && self.process.has_exited()
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.host, self.process.format('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_has_exited_only_on_this_machine() {
        let current = Owner::current();
        assert_eq!(Owner::parse(&current.to_string()).unwrap(), current);
        assert!(!current.has_exited());
        let dead = format!("{}/{}/1", current.host, std::process::id());
        assert!(Owner::parse(&dead).unwrap().has_exited());
        let other_machine = format!("elsewhere.example/{}/1", std::process::id());
        assert!(!Owner::parse(&other_machine).unwrap().has_exited());
        assert_eq!(Owner::parse(KEPT), None);
    }
}
