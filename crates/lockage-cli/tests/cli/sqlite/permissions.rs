//! Tests without write permission. Permissions do not stop the superuser, so the program runs as another user if the tests run as root.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use super::{THREE_MIGRATIONS, sandbox, up};
use crate::sandbox::{CallResult, Sandbox};

/// The id of the user `nobody`, which owns no files.
const NOBODY_UID: u32 = 65534;

/// A sandbox in which an unprivileged user runs the program.
struct UnprivilegedUser {
    sandbox: Sandbox,
    /// A copy of the program that the user can reach, if the tests run as root.
    program: Option<PathBuf>,
}

impl UnprivilegedUser {
    fn new(sandbox: Sandbox) -> Self {
        let root = std::fs::metadata(sandbox.path(".")).unwrap().uid() == 0;
        let program = root.then(|| sandbox.path("lockage"));
        if let Some(program) = &program {
            // Copied by another process: if this process had the file open for writing, children of its other threads would inherit that
            // and executing the file would fail.
            let copied = std::process::Command::new("cp")
                .arg(env!("CARGO_BIN_EXE_lockage"))
                .arg(program)
                .status()
                .unwrap();
            assert!(copied.success());
            chown_recursively(&sandbox.path("."));
        }
        Self { sandbox, program }
    }

    fn run(&self, args: &[&str]) -> CallResult {
        let mut command = self.sandbox.command(args);
        if let Some(program) = &self.program {
            let mut other = std::process::Command::new(program);
            other
                .args(command.get_args())
                .uid(NOBODY_UID)
                .gid(NOBODY_UID);
            other.current_dir(command.get_current_dir().unwrap());
            other.env_clear();
            command = other;
        }
        CallResult::from_output(&command.output().unwrap())
    }

    fn set_mode(&self, name: &str, mode: u32) {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(self.sandbox.path(name), permissions).unwrap();
    }
}

impl Drop for UnprivilegedUser {
    fn drop(&mut self) {
        self.set_mode(".", 0o700);
    }
}

fn chown_recursively(path: &Path) {
    chown(path, Some(NOBODY_UID), Some(NOBODY_UID)).unwrap();
    if path.is_dir() {
        for entry in path.read_dir().unwrap() {
            chown_recursively(&entry.unwrap().path());
        }
    }
}

#[test]
fn read_only_folder_fails_without_creating_files() {
    let user = UnprivilegedUser::new(sandbox(&THREE_MIGRATIONS));
    user.set_mode(".", 0o555);
    let call = user.run(&["up"]);
    assert_eq!(call.code, 6, "{call:?}");
    assert!(call.err.contains("cannot use the lock file"), "{call:?}");
    assert!(call.err.contains("write access to the folder"), "{call:?}");
    assert!(!user.sandbox.path("app.db").exists());
}

#[test]
fn database_in_read_only_folder_can_be_read_but_not_migrated() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    sandbox.run(&["up", "--to", "1"]).expect_success();
    sandbox.remove("app.db-lockage-4006.lock");
    let user = UnprivilegedUser::new(sandbox);
    user.set_mode(".", 0o555);
    let before = std::fs::read(user.sandbox.path("app.db")).unwrap();
    let call = user.run(&["status"]).expect_success();
    assert!(call.out.contains("orders"), "{call:?}");
    assert_eq!(user.run(&["check"]).code, 3);
    let call = user.run(&["up"]);
    assert_eq!(call.code, 6, "{call:?}");
    assert!(call.err.contains("write access to the folder"), "{call:?}");
    assert_eq!(std::fs::read(user.sandbox.path("app.db")).unwrap(), before);
}

#[test]
fn existing_lock_file_does_not_allow_up_in_read_only_folder() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    sandbox.run(&["up", "--to", "1"]).expect_success();
    let user = UnprivilegedUser::new(sandbox);
    user.set_mode(".", 0o555);
    let before = std::fs::read(user.sandbox.path("app.db")).unwrap();
    let call = user.run(&["up"]);
    assert!([1, 6].contains(&call.code), "{call:?}");
    assert!(call.err.contains("folder"), "{call:?}");
    assert_eq!(std::fs::read(user.sandbox.path("app.db")).unwrap(), before);
    user.set_mode(".", 0o700);
    user.run(&["up"]).expect_success();
}

#[test]
fn read_only_database_file_is_reported() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    sandbox.run(&["up", "--to", "1"]).expect_success();
    let user = UnprivilegedUser::new(sandbox);
    user.set_mode("app.db", 0o444);
    let call = user.run(&["up"]);
    assert_eq!(call.code, 1, "{call:?}");
    assert!(call.err.contains("the database is read-only"), "{call:?}");
    user.set_mode("app.db", 0o644);
    user.run(&["up"]).expect_success();
}

#[test]
fn wal_that_cannot_be_created_is_reported() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    let client = rusqlite::Connection::open(sandbox.path("app.db")).unwrap();
    client.pragma_update(None, "journal_mode", "wal").unwrap();
    drop(client);
    up(&sandbox);
    let user = UnprivilegedUser::new(sandbox);
    user.set_mode(".", 0o555);
    let call = user.run(&["status"]);
    assert_eq!(call.code, 6, "{call:?}");
    assert!(call.err.contains("folder"), "{call:?}");
}
