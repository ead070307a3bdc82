//! One process of the program under test, whose progress a test reads while it runs.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::engine::wait_for;
use crate::race::command;

/// The time limit of a wait, for slow machines.
const DEADLINE: Duration = Duration::from_secs(120);

/// A running process. It is killed when dropped.
pub(crate) struct Process {
    child: Child,
    stderr_lines: Receiver<String>,
    /// The lines that were received.
    stderr: String,
    stdout: Option<JoinHandle<String>>,
}

/// The result of a process.
#[derive(Debug)]
pub(crate) struct ProcessOutput {
    /// `None` if a signal killed the process.
    pub(crate) exit: Option<i32>,
    pub(crate) stdout: String,
    #[expect(dead_code, reason = "printed by Debug when a test fails")]
    stderr: String,
}

impl ProcessOutput {
    /// Parses the JSON object on standard output.
    pub(crate) fn json(&self) -> Result<Value, String> {
        serde_json::from_str(&self.stdout).map_err(|error| format!("{error}: {self:?}"))
    }
}

impl Process {
    pub(crate) fn start(url: &str, dir: &Path, arguments: &[&str]) -> Result<Self, String> {
        let mut child = command(url, dir, arguments)
            .spawn()
            .map_err(|error| error.to_string())?;
        let (sender, stderr_lines) = channel();
        let stderr = child.stderr.take().ok_or("no standard error")?;
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut stdout = child.stdout.take().ok_or("no standard output")?;
        let stdout = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = stdout.read_to_string(&mut text);
            text
        });
        Ok(Self {
            child,
            stderr_lines,
            stderr: String::new(),
            stdout: Some(stdout),
        })
    }

    /// Runs a command until it exits.
    pub(crate) fn run(url: &str, dir: &Path, arguments: &[&str]) -> Result<ProcessOutput, String> {
        Self::start(url, dir, arguments)?.wait()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line on standard error that contains `text`. Returns the line.
    pub(crate) fn wait_for_line(&mut self, text: &str) -> Result<String, String> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.stderr_lines.recv_timeout(left) {
                Ok(line) => {
                    self.stderr.push_str(&line);
                    self.stderr.push('\n');
                    if line.contains(text) {
                        return Ok(line);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!(
                        "the process did not print `{text}` within {DEADLINE:?}: {}",
                        self.stderr
                    ));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(format!(
                        "the process exited without printing `{text}`: {}",
                        self.stderr
                    ));
                }
            }
        }
    }

    /// Sends a signal, such as `TERM` or `INT`.
    pub(crate) fn send_signal(&self, signal: &str) -> Result<(), String> {
        send_signal(self.id(), signal)
    }

    pub(crate) fn has_exited(&mut self) -> Result<bool, String> {
        let status = self.child.try_wait().map_err(|error| error.to_string())?;
        Ok(status.is_some())
    }

    /// Waits until the process exits.
    pub(crate) fn wait(mut self) -> Result<ProcessOutput, String> {
        let status = wait_for("the exit of a process", || {
            self.child.try_wait().map_err(|error| error.to_string())
        })?;
        let stdout = self.stdout.take().map(JoinHandle::join);
        while let Ok(line) = self.stderr_lines.recv() {
            self.stderr.push_str(&line);
            self.stderr.push('\n');
        }
        Ok(ProcessOutput {
            exit: status.code(),
            stdout: stdout.and_then(Result::ok).unwrap_or_default(),
            stderr: std::mem::take(&mut self.stderr),
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a child process that was not waited for yet, so that its id cannot belong to another process.
pub(crate) fn send_signal(pid: u32, signal: &str) -> Result<(), String> {
    let status = Command::new("kill")
        .args([&format!("-{signal}"), &pid.to_string()])
        .status()
        .map_err(|error| error.to_string())?;
    status
        .success()
        .then_some(())
        .ok_or_else(|| format!("could not send {signal} to {pid}"))
}
