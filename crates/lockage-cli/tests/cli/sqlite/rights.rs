//! A user who may not write. Rights do not stop the superuser, so the program is run as somebody else where the tests run as root.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use super::{THREE, sandbox, up};
use crate::sandbox::{Call, Sandbox};

/// An account that every Unix has, and that owns nothing.
const NOBODY: u32 = 65534;

/// A sandbox that an ordinary user runs the program in.
struct Ordinary {
    sandbox: Sandbox,
    /// Where the tests are the superuser's: a copy that the ordinary user can reach.
    program: Option<PathBuf>,
}

impl Ordinary {
    fn new(sandbox: Sandbox) -> Self {
        let root = std::fs::metadata(sandbox.path(".")).unwrap().uid() == 0;
        let program = root.then(|| sandbox.path("lockage"));
        if let Some(program) = &program {
            // By another process: a file that this one has open for writing cannot be run by the children of its other threads.
            let copied = std::process::Command::new("cp")
                .arg(env!("CARGO_BIN_EXE_lockage"))
                .arg(program)
                .status()
                .unwrap();
            assert!(copied.success());
            give(&sandbox.path("."));
        }
        Self { sandbox, program }
    }

    fn run(&self, args: &[&str]) -> Call {
        let mut command = self.sandbox.command(args);
        if let Some(program) = &self.program {
            let mut other = std::process::Command::new(program);
            other.args(command.get_args()).uid(NOBODY).gid(NOBODY);
            other.current_dir(command.get_current_dir().unwrap());
            other.env_clear();
            command = other;
        }
        Call::of(&command.output().unwrap())
    }

    fn mode(&self, name: &str, mode: u32) {
        let rights = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(self.sandbox.path(name), rights).unwrap();
    }
}

impl Drop for Ordinary {
    fn drop(&mut self) {
        self.mode(".", 0o700);
    }
}

fn give(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        for entry in path.read_dir().unwrap() {
            give(&entry.unwrap().path());
        }
    }
}

#[test]
fn a_folder_that_may_not_be_written_is_told_and_left_alone() {
    let user = Ordinary::new(sandbox(&THREE));
    user.mode(".", 0o555);
    let call = user.run(&["up"]);
    assert_eq!(call.code, 6, "{call:?}");
    assert!(call.err.contains("cannot use the lock file"), "{call:?}");
    assert!(
        call.err.contains("the right to write the folder"),
        "{call:?}"
    );
    assert!(!user.sandbox.path("app.db").exists());
}

#[test]
fn a_database_in_such_a_folder_can_be_looked_at_and_not_migrated() {
    let sandbox = sandbox(&THREE);
    sandbox.run(&["up", "--to", "1"]).succeeds();
    sandbox.remove("app.db-lockage-4006.lock");
    let user = Ordinary::new(sandbox);
    user.mode(".", 0o555);
    let before = std::fs::read(user.sandbox.path("app.db")).unwrap();
    let call = user.run(&["status"]).succeeds();
    assert!(call.out.contains("orders"), "{call:?}");
    assert_eq!(user.run(&["check"]).code, 3);
    let call = user.run(&["up"]);
    assert_eq!(call.code, 6, "{call:?}");
    assert!(
        call.err.contains("the right to write the folder"),
        "{call:?}"
    );
    assert_eq!(std::fs::read(user.sandbox.path("app.db")).unwrap(), before);
}

#[test]
fn a_lock_file_that_is_there_does_not_make_up_for_the_folder() {
    let sandbox = sandbox(&THREE);
    sandbox.run(&["up", "--to", "1"]).succeeds();
    let user = Ordinary::new(sandbox);
    user.mode(".", 0o555);
    let before = std::fs::read(user.sandbox.path("app.db")).unwrap();
    let call = user.run(&["up"]);
    assert!([1, 6].contains(&call.code), "{call:?}");
    assert!(call.err.contains("folder"), "{call:?}");
    assert_eq!(std::fs::read(user.sandbox.path("app.db")).unwrap(), before);
    user.mode(".", 0o700);
    user.run(&["up"]).succeeds();
}

#[test]
fn a_file_that_may_not_be_written_is_told() {
    let sandbox = sandbox(&THREE);
    sandbox.run(&["up", "--to", "1"]).succeeds();
    let user = Ordinary::new(sandbox);
    user.mode("app.db", 0o444);
    let call = user.run(&["up"]);
    assert_eq!(call.code, 1, "{call:?}");
    assert!(call.err.contains("the database is read-only"), "{call:?}");
    user.mode("app.db", 0o644);
    user.run(&["up"]).succeeds();
}

#[test]
fn a_wal_that_cannot_be_made_is_told() {
    let sandbox = sandbox(&THREE);
    let client = rusqlite::Connection::open(sandbox.path("app.db")).unwrap();
    client.pragma_update(None, "journal_mode", "wal").unwrap();
    drop(client);
    up(&sandbox);
    let user = Ordinary::new(sandbox);
    user.mode(".", 0o555);
    let call = user.run(&["status"]);
    assert_eq!(call.code, 6, "{call:?}");
    assert!(call.err.contains("folder"), "{call:?}");
}
