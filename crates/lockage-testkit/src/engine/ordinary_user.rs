use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::Failure;

/// Who runs a server: we ourselves or, where we are root and servers refuse to be, somebody ordinary.
#[derive(Debug, Clone, Copy)]
pub(super) struct OrdinaryUser(Option<(u32, u32)>);

impl OrdinaryUser {
    /// We, unless we are root; then the first of some users that the machine has.
    pub(super) fn find(names: &[&str]) -> Result<Self, Failure> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self(None));
        }
        let users = std::fs::read_to_string("/etc/passwd")?;
        let ids = |name: &&str| {
            let fields: Vec<&str> = users
                .lines()
                .find(|line| line.split(':').next() == Some(name))?
                .split(':')
                .collect();
            Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
        };
        match names.iter().find_map(ids) {
            Some(ids) => Ok(Self(Some(ids))),
            None => Err(format!(
                "root may not run the server, and there is none of the users {names:?}"
            )
            .into()),
        }
    }

    /// Gives a folder to the user.
    pub(super) fn own(self, folder: &Path) -> Result<(), Failure> {
        match self.0 {
            Some((user, group)) => Ok(std::os::unix::fs::chown(folder, Some(user), Some(group))?),
            None => Ok(()),
        }
    }

    /// Has the user run a command.
    pub(super) fn run(self, command: &mut Command) -> &mut Command {
        match self.0 {
            Some((user, group)) => command.uid(user).gid(group),
            None => command,
        }
    }
}
