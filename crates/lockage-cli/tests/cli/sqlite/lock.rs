//! A run that holds the lock, seen from other runs.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Stdio};

use super::{FOREVER, THREE, assert_states, sandbox};
use crate::sandbox::Sandbox;

/// A run that holds the lock until it is ended.
struct Holder {
    child: Child,
    err: BufReader<ChildStderr>,
}

impl Holder {
    /// Starts `up` and returns once it applies the migration that never ends.
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
            assert_ne!(err.read_line(&mut line).unwrap(), 0, "the run ended early");
        }
        Self { child, err }
    }

    /// Sends a signal, and returns the exit code and both outputs.
    #[cfg(unix)]
    fn end(mut self, signal: &str) -> (Option<i32>, String, String) {
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

fn forever() -> Sandbox {
    sandbox(&[THREE[0], ("V2__forever.sql", FOREVER)])
}

#[test]
fn a_lock_that_is_held_is_shown_with_its_holder_and_not_obtained() {
    let sandbox = forever();
    let free = sandbox.run(&["lock", "status"]).succeeds();
    assert_eq!(free.out, "the lock 4006 of sqlite:app.db is free\n");
    let holder = Holder::start(&sandbox, &["up"]);
    let pid = holder.child.id().to_string();
    let call = sandbox.run(&["lock", "status"]).succeeds();
    assert!(
        call.out.contains("is held") && call.out.contains(&pid),
        "{call:?}"
    );
    let (_, object) = sandbox.json(&["lock", "status"]);
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
    let (code, object) = sandbox.json(&["up", "--no-wait"]);
    assert_eq!((code, &object["took_lock"]), (5, &false.into()));
    assert_eq!(object["error"]["kind"], "lock_timeout");
    assert_eq!(object["error"]["retryable"], true);
    let call = sandbox.run(&["up", "--wait", "100ms"]);
    assert_eq!(call.code, 5, "{call:?}");
    let call = sandbox.run_with(&[("LOCKAGE_WAIT", "no")], &["up"]);
    assert_eq!(call.code, 5, "{call:?}");
    let (_, other) = sandbox.json(&["lock", "status", "--lock-id", "7"]);
    assert_eq!(
        (&other["outcome"], &other["lock"]),
        (&"free".into(), &"7".into())
    );
    drop(holder);
    let (_, object) = sandbox.json(&["lock", "status"]);
    assert_eq!(object["outcome"], "free");
}

#[cfg(unix)]
#[test]
fn a_signal_stops_a_run_cleanly() {
    let sandbox = forever();
    let (code, out, err) = Holder::start(&sandbox, &["up"]).end("-TERM");
    assert_eq!((code, out.as_str()), (Some(143), ""));
    assert!(err.contains("error: the run was interrupted"), "{err}");
    assert_states(&sandbox, &[("1", "applied"), ("2", "pending")]);
    let (code, out, _) = Holder::start(&sandbox, &["up", "--json"]).end("-INT");
    assert_eq!(code, Some(130));
    let object: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&object["outcome"], &object["error"]["kind"]),
        (&"failed".into(), &"interrupted".into())
    );
    assert_eq!(object["pending"][0]["version"], "2");
    sandbox.migration("V2__forever.sql", "CREATE TABLE n (x int);\n");
    sandbox.run(&["up", "--no-wait"]).succeeds();
}

#[test]
fn a_history_is_mended_under_the_lock_only() {
    let sandbox = forever();
    sandbox.run(&["up", "--to", "1"]).succeeds();
    let holder = Holder::start(&sandbox, &["up"]);
    sandbox.migration(THREE[0].0, "");
    let error = sandbox.fails(
        &["repair", "--yes", "--no-wait"],
        5,
        &[
            "the lock 4006 was not obtained; it is held by",
            "Nothing was written",
        ],
    );
    assert_eq!(error["kind"], "lock_timeout");
    drop(holder);
    sandbox.run(&["repair", "--yes"]).succeeds();
    assert_states(&sandbox, &[("1", "applied"), ("2", "pending")]);
}

#[cfg(unix)]
#[test]
fn a_run_that_waits_for_the_lock_can_be_interrupted() {
    let sandbox = forever();
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
