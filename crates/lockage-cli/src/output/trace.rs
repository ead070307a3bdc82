//! A machine-readable trace of runs, for the project's own tests and reports. Users have progress lines and `--json`.
//!
//! When the environment variable `LOCKAGE_TRACE` names a file, a process appends one JSON object a line to it. Several processes can share
//! the file: each line is a single `write` call on a file opened with `O_APPEND`. Lines of one process are in order.
//!
//! Every line has these keys:
//!
//! | key | value |
//! |---|---|
//! | `ms` | Unix time in milliseconds |
//! | `pid` | id of the process |
//! | `event` | one of the events below |
//!
//! Further keys depend on the event. `version` is null for a repeatable migration, `holder` is null if the engine does not report one,
//! `action` is `apply`, `undo`, `mark_applied`, `update_checksum`, `resolve_applied`, `resolve_not_applied` or `delete_row`.
//!
//! | event | when | further keys |
//! |---|---|---|
//! | `connected` | a session is open; `wait` opens several | `database` |
//! | `waiting` | the lock is busy; repeated at growing intervals | `lock`, `holder`, `waited_ms` |
//! | `acquired` | the lock is held | `lock`, `waited_ms`, `steps` |
//! | `started` | a migration starts | `version`, `name`, `action`, `step` (from 1), `steps` |
//! | `retrying` | a migration was rolled back after a lock timeout and starts again | `version`, `name`, `action`, `attempt`, `message` |
//! | `applied` | a migration is committed, whatever the action | `version`, `name`, `action`, `took_ms` |
//! | `reconnecting` | the connection was lost and the lock with it; the run starts again | `message` |
//! | `releasing`, `released` | the run stops writing; the lock is free | `lock` |
//! | `current` | `up`, `check` or `wait` ended and nothing was pending | `lock`, `took_lock`, `waited_ms` |
//! | `failed` | the command failed | `kind`, `message`, `lock`, `exit` |
//!
//! A process that is killed leaves no closing line. Passwords are masked as in all other output.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use lockage::redact::mask_secrets;
use lockage::{Action, Event, Outcome, Report, Step};
use serde_json::{Value, json};

use super::failure::CommandFailure;
use super::json::millis;
use crate::exit::Exit;

/// Where trace lines go. Clones share the file; without a file, all methods do nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trace(Option<Arc<File>>);

impl Trace {
    /// Opens the file and creates it if needed.
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self(Some(Arc::new(file))))
    }

    /// Writes an event of a run.
    pub(crate) fn event(&self, event: &Event<'_>) {
        match event {
            Event::Connected { database } => {
                self.write("connected", json!({"database": mask_secrets(database)}));
            }
            Event::Waiting {
                key,
                waited,
                holder,
            } => {
                let holder = holder.map(|holder| mask_secrets(&holder.to_string()).into_owned());
                let lock = key.to_string();
                self.write(
                    "waiting",
                    json!({"lock": lock, "holder": holder, "waited_ms": millis(*waited)}),
                );
            }
            Event::Locked { key, waited, steps } => self.write(
                "acquired",
                json!({"lock": key.to_string(), "waited_ms": millis(*waited), "steps": steps}),
            ),
            Event::StepStarted { step, index, steps } => {
                self.step("started", step, json!({"step": index + 1, "steps": steps}));
            }
            Event::Retrying {
                step,
                attempt,
                message,
            } => self.step(
                "retrying",
                step,
                json!({"attempt": attempt, "message": mask_secrets(message)}),
            ),
            Event::StepFinished { step, took } => {
                self.step("applied", step, json!({"took_ms": millis(*took)}));
            }
            Event::Reconnecting { message } => {
                self.write("reconnecting", json!({"message": mask_secrets(message)}));
            }
            Event::Releasing { key } => self.write("releasing", json!({"lock": key.to_string()})),
            Event::Released { key } => self.write("released", json!({"lock": key.to_string()})),
            _ => {}
        }
    }

    /// Writes `current` if the report says that nothing was pending.
    pub(crate) fn report(&self, report: &Report) {
        if report.outcome == Outcome::UpToDate {
            self.write(
                "current",
                json!({"lock": report.lock, "took_lock": report.took_lock, "waited_ms": millis(report.waited)}),
            );
        }
    }

    /// Writes that the command failed.
    pub(crate) fn failure(&self, failure: &CommandFailure, exit: Exit) {
        self.write(
            "failed",
            json!({
                "kind": failure.error.kind().as_str(), "message": mask_secrets(failure.error.message()), "lock": failure.lock,
                "exit": exit.code(),
            }),
        );
    }

    fn step(&self, event: &str, step: &Step, further: Value) {
        let mut fields = json!({
            "version": step.migration.version().map(ToString::to_string), "name": step.migration.name(),
            "action": action_name(step.action),
        });
        merge(&mut fields, further);
        self.write(event, fields);
    }

    fn write(&self, event: &str, fields: Value) {
        let Some(file) = &self.0 else { return };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let mut line = json!({"ms": millis(now.unwrap_or_default()), "pid": std::process::id(), "event": event});
        merge(&mut line, fields);
        // One call: a second one could be separated from the first by a line of another process. A lost line fails a test, not a run.
        let _ = (&**file).write(format!("{line}\n").as_bytes());
    }
}

fn merge(object: &mut Value, further: Value) {
    if let (Value::Object(object), Value::Object(further)) = (object, further) {
        object.extend(further);
    }
}

fn action_name(action: Action) -> &'static str {
    match action {
        Action::Apply => "apply",
        Action::Undo => "undo",
        Action::MarkApplied => "mark_applied",
        Action::UpdateChecksum => "update_checksum",
        Action::ResolveApplied => "resolve_applied",
        Action::ResolveNotApplied => "resolve_not_applied",
        Action::DeleteRow => "delete_row",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use lockage::LockKey;

    #[test]
    fn events_become_json_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.jsonl");
        let key = LockKey::default();
        for _ in 0..2 {
            let trace = Trace::open(&path).unwrap();
            trace.event(&Event::Waiting {
                key: &key,
                waited: Duration::from_secs(1),
                holder: None,
            });
            trace.event(&Event::Released { key: &key });
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[2]["event"], "waiting");
        assert_eq!(lines[2]["waited_ms"], 1000);
        assert!(lines[2]["holder"].is_null());
        assert_eq!(lines[3]["lock"], "4006");
        assert_eq!(lines[3]["pid"], std::process::id());
        assert!(lines[3]["ms"].as_u64() > Some(1_700_000_000_000));
    }

    #[test]
    fn no_file_writes_nothing() {
        let key = LockKey::default();
        Trace::default().event(&Event::Released { key: &key });
    }
}
