//! What the processes of a race did, for the report of the test matrix.
//!
//! `LOCKAGE_TEST_TRACE` names a file. Each race appends one JSON object to it: the case and, per process, its result and the events that it
//! wrote to `LOCKAGE_TRACE`. Times are in milliseconds since the start of the race.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::NamedTempFile;

/// The running case.
static CASE: Mutex<String> = Mutex::new(String::new());

pub(crate) fn set_case(case: &str) {
    case.clone_into(&mut CASE.lock().unwrap_or_else(PoisonError::into_inner));
}

/// The trace of one race. Without `LOCKAGE_TEST_TRACE`, nothing is written.
pub(crate) struct RaceTrace {
    destination: Option<Destination>,
    replicas: Vec<Value>,
}

struct Destination {
    path: String,
    /// The file to which the processes append their events.
    events: NamedTempFile,
    /// Unix time in milliseconds.
    started_at: u64,
}

impl RaceTrace {
    pub(crate) fn new() -> Result<Self, String> {
        let destination = match std::env::var("LOCKAGE_TEST_TRACE") {
            Ok(path) => Some(Destination {
                path,
                events: NamedTempFile::new().map_err(|error| error.to_string())?,
                started_at: unix_millis(),
            }),
            Err(_) => None,
        };
        Ok(Self {
            destination,
            replicas: Vec::new(),
        })
    }

    /// Makes a process write its events.
    pub(crate) fn attach(&self, command: &mut Command) {
        if let Some(destination) = &self.destination {
            command.env("LOCKAGE_TRACE", destination.events.path());
        }
    }

    /// Adds the result of a process. `ended_at` is the time since the start of the race.
    pub(crate) fn add(
        &mut self,
        pid: u32,
        killed: bool,
        exit: Option<i32>,
        outcome: &str,
        ended_at: Duration,
    ) {
        self.replicas.push(json!({
            "pid": pid, "killed": killed, "exit": exit, "outcome": outcome,
            "end_ms": u64::try_from(ended_at.as_millis()).unwrap_or(u64::MAX),
        }));
    }

    /// Appends the race to the file.
    pub(crate) fn write(mut self) -> Result<(), String> {
        let Some(destination) = &self.destination else {
            return Ok(());
        };
        let events = destination.read_events()?;
        for replica in &mut self.replicas {
            let own: Vec<&Value> = events
                .iter()
                .filter(|event| event["pid"] == replica["pid"])
                .collect();
            replica["events"] = json!(own);
        }
        let case = CASE.lock().unwrap_or_else(PoisonError::into_inner).clone();
        append(
            Path::new(&destination.path),
            &json!({"case": case, "replicas": self.replicas}),
        )
    }
}

impl Destination {
    /// Reads the events of all processes, with times since the start of the race.
    fn read_events(&self) -> Result<Vec<Value>, String> {
        let text =
            std::fs::read_to_string(self.events.path()).map_err(|error| error.to_string())?;
        // A killed process can leave a partial line.
        let events = text.lines().filter_map(|line| {
            let mut event: Value = serde_json::from_str(line).ok()?;
            let at = event["ms"].as_u64()?;
            event["ms"] = at.saturating_sub(self.started_at).into();
            Some(event)
        });
        Ok(events.collect())
    }
}

fn append(path: &Path, line: &Value) -> Result<(), String> {
    let with_path = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(path)
        .map_err(with_path)?;
    writeln!(file, "{line}").map_err(with_path)
}

fn unix_millis() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
