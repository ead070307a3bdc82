use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use lockage_testkit::TestError;

/// The user that runs a server: the current user, or another user if the current user is root. Servers refuse to run as root.
#[derive(Debug, Clone, Copy)]
pub(super) struct UnprivilegedUser(Option<(u32, u32)>);

impl UnprivilegedUser {
    /// Returns the current user. For root, returns the first user of `names` that exists.
    pub(super) fn find(names: &[&str]) -> Result<Self, TestError> {
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
                "the server refuses to run as root, and none of the users {names:?} exists"
            )
            .into()),
        }
    }

    /// Changes the owner of a path to this user.
    pub(super) fn chown(self, path: &Path) -> Result<(), TestError> {
        match self.0 {
            Some((user, group)) => Ok(std::os::unix::fs::chown(path, Some(user), Some(group))?),
            None => Ok(()),
        }
    }

    /// Sets the user of a command.
    pub(super) fn run(self, command: &mut Command) -> &mut Command {
        match self.0 {
            Some((user, group)) => command.uid(user).gid(group),
            None => command,
        }
    }
}
