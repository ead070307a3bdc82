//! Processes of the program under test that run at the same time.

use std::fmt;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::race_trace::RaceTrace;

/// The time limit of a process, for slow machines.
const DEADLINE: Duration = Duration::from_secs(300);

/// The result of one process.
#[derive(Debug)]
pub(crate) struct ReplicaOutput {
    /// `None` if a signal killed the process.
    pub(crate) exit: Option<i32>,
    /// The JSON object on standard output, or null.
    pub(crate) json: Value,
    stderr: String,
}

impl ReplicaOutput {
    pub(crate) fn outcome(&self) -> &str {
        self.json["outcome"].as_str().unwrap_or_default()
    }
}

impl fmt::Display for ReplicaOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { exit, json, stderr } = self;
        write!(f, "exit {exit:?}: {json} {stderr}")
    }
}

/// Returns a command of the program under test, with JSON on standard output.
pub(crate) fn command(url: &str, dir: &Path, arguments: &[&str]) -> Command {
    command_with_prefix(&[], url, dir, arguments)
}

/// Returns a command that runs the program by another command, whose words are `prefix`.
fn command_with_prefix(prefix: &[&str], url: &str, dir: &Path, arguments: &[&str]) -> Command {
    let program = env!("CARGO_BIN_EXE_lockage-under-test");
    let mut words = prefix.iter().chain(std::iter::once(&program));
    let mut command = Command::new(words.next().unwrap_or(&program));
    command
        .args(words)
        .args(["--json", "--url", url, "--dir"])
        .arg(dir)
        .args(arguments)
        .current_dir(dir);
    for (name, _) in
        std::env::vars().filter(|(name, _)| name.starts_with("LOCKAGE_") || name == "DATABASE_URL")
    {
        command.env_remove(name);
    }
    if let Ok(strategy) = std::env::var("LOCKAGE_TEST_LOCK_STRATEGY") {
        command.env("LOCKAGE_LOCK_STRATEGY", strategy);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A process of a race.
struct Replica {
    child: Child,
    /// When the test killed the process, since the start of the race.
    killed_at: Option<Duration>,
    /// Standard output, and when it was closed.
    stdout: JoinHandle<(Vec<u8>, Duration)>,
    stderr: JoinHandle<Vec<u8>>,
}

/// Processes that run `lockage up` at the same time.
pub(crate) struct Race {
    started_at: Instant,
    replicas: Vec<Replica>,
    trace: RaceTrace,
}

impl Race {
    /// Starts `count` processes. They use the URLs in turn.
    pub(crate) fn start(count: usize, urls: &[String], dir: &Path) -> Result<Self, String> {
        Self::start_with_prefix(&[], count, urls, dir)
    }

    /// Starts `count` processes by another command, whose words are `prefix`. That command must replace itself by the program.
    pub(crate) fn start_with_prefix(
        prefix: &[&str],
        count: usize,
        urls: &[String],
        dir: &Path,
    ) -> Result<Self, String> {
        let mut race = Self {
            started_at: Instant::now(),
            replicas: Vec::new(),
            trace: RaceTrace::new()?,
        };
        race.add(prefix, count, urls, dir)?;
        Ok(race)
    }

    /// Starts `count` more processes.
    pub(crate) fn add(
        &mut self,
        prefix: &[&str],
        count: usize,
        urls: &[String],
        dir: &Path,
    ) -> Result<(), String> {
        for url in urls.iter().cycle().take(count) {
            let arguments = ["up", "-v", "--wait", "240s"];
            let mut command = command_with_prefix(prefix, url, dir, &arguments);
            self.trace.attach(&mut command);
            self.replicas
                .push(Replica::start(&mut command, self.started_at)?);
        }
        Ok(())
    }

    /// Returns the ids of the processes.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.replicas
            .iter()
            .map(|replica| replica.child.id())
            .collect()
    }

    /// Kills a process with SIGKILL.
    pub(crate) fn kill(&mut self, pid: u32) -> Result<(), String> {
        let replica = self
            .replicas
            .iter_mut()
            .find(|replica| replica.child.id() == pid)
            .ok_or(format!("{pid} is not a replica"))?;
        replica.killed_at = Some(self.started_at.elapsed());
        replica.child.kill().map_err(|error| error.to_string())
    }

    /// Waits until all processes have exited. Returns the results of those that were not killed.
    pub(crate) fn finish(mut self) -> Result<Vec<ReplicaOutput>, String> {
        let deadline = Instant::now() + DEADLINE;
        let mut outputs = Vec::new();
        for replica in self.replicas {
            let (pid, killed_at) = (replica.child.id(), replica.killed_at);
            let (output, closed_at) = replica.finish(deadline)?;
            let ended_at = killed_at.unwrap_or(closed_at);
            self.trace.add(
                pid,
                killed_at.is_some(),
                output.exit,
                output.outcome(),
                ended_at,
            );
            if killed_at.is_none() {
                outputs.push(output);
            }
        }
        self.trace.write()?;
        Ok(outputs)
    }
}

impl Replica {
    fn start(command: &mut Command, race_started_at: Instant) -> Result<Self, String> {
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let (Some(mut stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take())
        else {
            return Err("the process has no pipes".into());
        };
        // A read error leaves the output incomplete, which fails as invalid JSON.
        Ok(Self {
            child,
            killed_at: None,
            stdout: std::thread::spawn(move || {
                let mut bytes = Vec::new();
                let _ = stdout.read_to_end(&mut bytes);
                (bytes, race_started_at.elapsed())
            }),
            stderr: std::thread::spawn(move || {
                let mut bytes = Vec::new();
                let _ = stderr.read_to_end(&mut bytes);
                bytes
            }),
        })
    }

    /// Waits until the process has exited. Returns its result, and when standard output was closed.
    fn finish(mut self, deadline: Instant) -> Result<(ReplicaOutput, Duration), String> {
        let status = loop {
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                break status;
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "process {} did not exit within {DEADLINE:?}",
                    self.child.id()
                ));
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let stderr = self.stderr.join().map_err(|_| "a reader panicked")?;
        let (stdout, closed_at) = self.stdout.join().map_err(|_| "a reader panicked")?;
        let output = ReplicaOutput {
            exit: status.code(),
            json: serde_json::from_slice(&stdout).unwrap_or(Value::Null),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        };
        Ok((output, closed_at))
    }
}

/// Runs one command until it exits.
pub(crate) fn run(command: &mut Command) -> Result<ReplicaOutput, String> {
    let started_at = Instant::now();
    let replica = Replica::start(command, started_at)?;
    Ok(replica.finish(started_at + DEADLINE)?.0)
}

/// Runs `count` processes of `lockage up` until all have exited.
pub(crate) fn race(
    count: usize,
    urls: &[String],
    dir: &Path,
) -> Result<Vec<ReplicaOutput>, String> {
    Race::start(count, urls, dir)?.finish()
}
