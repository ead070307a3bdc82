//! One process of the binary under test, watched while it runs.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::engine::wait_for;
use crate::replicas::command;

/// Nothing here takes longer, however slow the machine.
const DEADLINE: Duration = Duration::from_secs(120);

/// A process that was started and has not been waited for.
pub(crate) struct Program {
    child: Child,
    lines: Receiver<String>,
    said: String,
    out: Option<JoinHandle<String>>,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit: Option<i32>,
    /// Its standard output.
    pub(crate) out: String,
    /// Its standard error, told when a test fails.
    #[expect(dead_code, reason = "shown by Debug")]
    said: String,
}

impl Ended {
    /// The one object on standard output.
    pub(crate) fn json(&self) -> Result<Value, String> {
        serde_json::from_str(&self.out).map_err(|error| format!("{error}: {self:?}"))
    }
}

impl Program {
    pub(crate) fn start(url: &str, dir: &Path, arguments: &[&str]) -> Result<Self, String> {
        let mut child = command(url, dir, arguments)
            .spawn()
            .map_err(|error| error.to_string())?;
        let (tell, lines) = channel();
        let said = child.stderr.take().ok_or("no standard error")?;
        std::thread::spawn(move || {
            for line in BufReader::new(said).lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        let mut out = child.stdout.take().ok_or("no standard output")?;
        let out = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = out.read_to_string(&mut text);
            text
        });
        Ok(Self {
            child,
            lines,
            said: String::new(),
            out: Some(out),
        })
    }

    /// Runs a command to its end.
    pub(crate) fn run(url: &str, dir: &Path, arguments: &[&str]) -> Result<Ended, String> {
        Self::start(url, dir, arguments)?.end()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it says a line with some text, and returns that line.
    pub(crate) fn hear(&mut self, text: &str) -> Result<String, String> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.said.push_str(&line);
                    self.said.push('\n');
                    if line.contains(text) {
                        return Ok(line);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("waited in vain for `{text}`: {}", self.said));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(format!("it ended without `{text}`: {}", self.said));
                }
            }
        }
    }

    /// Sends a signal: `TERM`, `INT`.
    pub(crate) fn signal(&self, signal: &str) -> Result<(), String> {
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), &self.id().to_string()])
            .status()
            .map_err(|error| error.to_string())?;
        sent.success()
            .then_some(())
            .ok_or_else(|| format!("no {signal} could be sent"))
    }

    pub(crate) fn has_ended(&mut self) -> Result<bool, String> {
        let status = self.child.try_wait().map_err(|error| error.to_string())?;
        Ok(status.is_some())
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Result<Ended, String> {
        let status = wait_for("the end of a process", || {
            self.child.try_wait().map_err(|error| error.to_string())
        })?;
        let out = self.out.take().map(JoinHandle::join);
        while let Ok(line) = self.lines.recv() {
            self.said.push_str(&line);
            self.said.push('\n');
        }
        Ok(Ended {
            exit: status.code(),
            out: out.and_then(Result::ok).unwrap_or_default(),
            said: std::mem::take(&mut self.said),
        })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
