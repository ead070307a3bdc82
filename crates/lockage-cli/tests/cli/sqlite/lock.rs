//! A run that holds the lock, as other runs see it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Stdio};

use super::{FOREVER, THREE_MIGRATIONS, assert_states, sandbox};
use crate::sandbox::Sandbox;

/// A run that holds the lock until it is stopped.
struct Holder {
    child: Child,
    err: BufReader<ChildStderr>,
}

impl Holder {
    /// Starts `up` and returns when it applies the migration that never ends.
    fn start(sandbox: &Sandbox, args: &[&str]) -> Self {
        let mut child = sandbox
            .command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut err = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("applying 2 forever") {
            line.clear();
            assert_ne!(err.read_line(&mut line).unwrap(), 0, "the run exited early");
        }
        Self { child, err }
    }

    /// Sends a signal and returns the exit code, standard output and standard error.
    #[cfg(unix)]
    fn signal_and_wait(mut self, signal: &str) -> (Option<i32>, String, String) {
        let id = self.child.id().to_string();
        let sent = std::process::Command::new("kill")
            .args([signal, &id])
            .status()
            .unwrap();
        assert!(sent.success());
        let mut out = String::new();
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut out)
            .unwrap();
        let mut err = String::new();
        self.err.read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap().code(), out, err)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn sandbox_with_endless_migration() -> Sandbox {
    sandbox(&[THREE_MIGRATIONS[0], ("V2__forever.sql", FOREVER)])
}

#[test]
fn held_lock_is_shown_with_holder_and_not_acquired() {
    let sandbox = sandbox_with_endless_migration();
    let free = sandbox.run(&["lock", "status"]).expect_success();
    assert_eq!(free.out, "the lock 4006 of sqlite:app.db is free\n");
    let holder = Holder::start(&sandbox, &["up"]);
    let pid = holder.child.id().to_string();
    let call = sandbox.run(&["lock", "status"]).expect_success();
    assert!(
        call.out.contains("is held") && call.out.contains(&pid),
        "{call:?}"
    );
    let (_, object) = sandbox.run_json(&["lock", "status"]);
    assert_eq!(object["outcome"], "held");
    assert_eq!(object["holder"]["session"], pid);
    assert!(
        object["holder"]["migration"]
            .as_str()
            .unwrap()
            .contains("forever")
    );
    let call = sandbox.run(&["up", "--no-wait"]);
    assert_eq!(call.code, 5, "{call:?}");
    assert!(
        call.err.contains("the lock 4006 was not obtained"),
        "{call:?}"
    );
    assert!(
        call.err.contains(&pid) && call.err.contains("--wait"),
        "{call:?}"
    );
    let (code, object) = sandbox.run_json(&["up", "--no-wait"]);
    assert_eq!((code, &object["took_lock"]), (5, &false.into()));
    assert_eq!(object["error"]["kind"], "lock_timeout");
    assert_eq!(object["error"]["retryable"], true);
    let call = sandbox.run(&["up", "--wait", "100ms"]);
    assert_eq!(call.code, 5, "{call:?}");
    let call = sandbox.run_with(&[("LOCKAGE_WAIT", "no")], &["up"]);
    assert_eq!(call.code, 5, "{call:?}");
    let (_, other) = sandbox.run_json(&["lock", "status", "--lock-id", "7"]);
    assert_eq!(
        (&other["outcome"], &other["lock"]),
        (&"free".into(), &"7".into())
    );
    drop(holder);
    let (_, object) = sandbox.run_json(&["lock", "status"]);
    assert_eq!(object["outcome"], "free");
}

#[cfg(unix)]
#[test]
fn signal_stops_run_cleanly() {
    let sandbox = sandbox_with_endless_migration();
    let (code, out, err) = Holder::start(&sandbox, &["up"]).signal_and_wait("-TERM");
    assert_eq!((code, out.as_str()), (Some(143), ""));
    assert!(err.contains("error: the run was interrupted"), "{err}");
    assert_states(&sandbox, &[("1", "applied"), ("2", "pending")]);
    let (code, out, _) = Holder::start(&sandbox, &["up", "--json"]).signal_and_wait("-INT");
    assert_eq!(code, Some(130));
    let object: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&object["outcome"], &object["error"]["kind"]),
        (&"failed".into(), &"interrupted".into())
    );
    assert_eq!(object["pending"][0]["version"], "2");
    sandbox.write_migration("V2__forever.sql", "CREATE TABLE n (x int);\n");
    sandbox.run(&["up", "--no-wait"]).expect_success();
}

#[test]
fn repair_needs_the_lock() {
    let sandbox = sandbox_with_endless_migration();
    sandbox.run(&["up", "--to", "1"]).expect_success();
    let holder = Holder::start(&sandbox, &["up"]);
    sandbox.write_migration(THREE_MIGRATIONS[0].0, "");
    let error = sandbox.expect_failure(
        &["repair", "--yes", "--no-wait"],
        5,
        &[
            "the lock 4006 was not obtained; it is held by",
            "Nothing was written",
        ],
    );
    assert_eq!(error["kind"], "lock_timeout");
    drop(holder);
    sandbox.run(&["repair", "--yes"]).expect_success();
    assert_states(&sandbox, &[("1", "applied"), ("2", "pending")]);
}

#[cfg(unix)]
#[test]
fn waiting_run_can_be_interrupted() {
    let sandbox = sandbox_with_endless_migration();
    let holder = Holder::start(&sandbox, &["up"]);
    let mut waiter = sandbox
        .command(&["up", "--wait", "forever"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut err = BufReader::new(waiter.stderr.take().unwrap());
    let mut line = String::new();
    err.read_line(&mut line).unwrap();
    assert!(
        line.starts_with("waiting for the lock 4006, held by"),
        "{line}"
    );
    assert!(line.contains("forever"), "{line}");
    let id = waiter.id().to_string();
    std::process::Command::new("kill")
        .args(["-INT", &id])
        .status()
        .unwrap();
    assert_eq!(waiter.wait().unwrap().code(), Some(130));
    drop(holder);
}
