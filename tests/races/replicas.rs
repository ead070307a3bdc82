//! Processes of the binary under test.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// No replica needs longer, however slow the machine.
const DEADLINE: Duration = Duration::from_secs(300);

/// How one process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit: Option<i32>,
    pub(crate) json: Value,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn outcome(&self) -> &str {
        self.json["outcome"].as_str().unwrap_or_default()
    }
}

/// A number from the environment.
pub(crate) fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}"))
    })
}

pub(crate) fn replicas() -> usize {
    setting("LOCKAGE_TEST_REPLICAS", 16)
}

pub(crate) fn rounds() -> usize {
    setting("LOCKAGE_TEST_ROUNDS", 3)
}

/// A command of the binary, with its JSON on standard output.
pub(crate) fn command(url: &str, dir: &Path, arguments: &[&str]) -> Command {
    command_through(&[], url, dir, arguments)
}

/// The same behind the words of another, which runs it.
fn command_through(through: &[&str], url: &str, dir: &Path, arguments: &[&str]) -> Command {
    let program = env!("CARGO_BIN_EXE_lockage-under-test");
    let mut words = through.iter().chain(std::iter::once(&program));
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

/// Lines, and when they were said.
type Said = Vec<(Duration, String)>;

/// One process of a race.
struct Replica {
    child: Child,
    killed: Option<Duration>,
    /// Its standard output, and when that ended.
    output: JoinHandle<(Vec<u8>, Duration)>,
    /// What it said, and when.
    said: JoinHandle<Said>,
}

/// Processes that run `lockage up` at once.
pub(crate) struct Race {
    begun: Instant,
    replicas: Vec<Replica>,
}

impl Race {
    /// Starts so many; where there are several ways to the database, each takes the next.
    pub(crate) fn start(count: usize, urls: &[String], dir: &Path) -> Result<Self, String> {
        Self::start_through(&[], count, urls, dir)
    }

    /// The same by a command that stands before the program's.
    pub(crate) fn start_through(
        through: &[&str],
        count: usize,
        urls: &[String],
        dir: &Path,
    ) -> Result<Self, String> {
        let mut race = Self {
            begun: Instant::now(),
            replicas: Vec::new(),
        };
        race.add(through, count, urls, dir)?;
        Ok(race)
    }

    /// Starts more.
    pub(crate) fn add(
        &mut self,
        through: &[&str],
        count: usize,
        urls: &[String],
        dir: &Path,
    ) -> Result<(), String> {
        for url in urls.iter().cycle().take(count) {
            let up = ["up", "-v", "--wait", "240s"];
            let mut command = command_through(through, url, dir, &up);
            self.replicas
                .push(Replica::start(&mut command, self.begun)?);
        }
        Ok(())
    }

    /// Their process numbers.
    pub(crate) fn ids(&self) -> Vec<u32> {
        self.replicas.iter().map(|one| one.child.id()).collect()
    }

    /// Ends one of them with SIGKILL.
    pub(crate) fn kill(&mut self, pid: u32) -> Result<(), String> {
        let replica = self
            .replicas
            .iter_mut()
            .find(|replica| replica.child.id() == pid)
            .ok_or(format!("{pid} is none of the replicas"))?;
        replica.killed = Some(self.begun.elapsed());
        replica.child.kill().map_err(|error| error.to_string())
    }

    /// Waits for all to end; those that were killed are not told of.
    pub(crate) fn finish(self) -> Result<Vec<Ended>, String> {
        let deadline = Instant::now() + DEADLINE;
        let mut ended = Vec::new();
        let mut traces = Vec::new();
        for replica in self.replicas {
            let (pid, killed) = (replica.child.id(), replica.killed);
            let (one, said, ended_at) = replica.finish(deadline)?;
            traces.push(json!({
                "pid": pid, "killed": killed.is_some(), "exit": one.exit, "outcome": one.outcome(), "end_ms": killed.unwrap_or(ended_at).as_millis() as u64,
                "said": said.iter().map(|(at, line)| json!([at.as_millis() as u64, line])).collect::<Vec<_>>(),
            }));
            if killed.is_none() {
                ended.push(one);
            }
        }
        trace(&traces)?;
        Ok(ended)
    }
}

impl Replica {
    fn start(command: &mut Command, begun: Instant) -> Result<Self, String> {
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let (Some(mut out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
            return Err("no pipe".into());
        };
        Ok(Self {
            child,
            killed: None,
            output: std::thread::spawn(move || {
                let mut bytes = Vec::new();
                // What could not be read is no JSON.
                let _ = out.read_to_end(&mut bytes);
                (bytes, begun.elapsed())
            }),
            said: std::thread::spawn(move || {
                let lines = BufReader::new(err).lines().map_while(Result::ok);
                lines.map(|line| (begun.elapsed(), line)).collect()
            }),
        })
    }

    /// How it ended, what it said and when it did.
    fn finish(mut self, deadline: Instant) -> Result<(Ended, Said, Duration), String> {
        let status = loop {
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                break status;
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "process {} has not ended within {DEADLINE:?}",
                    self.child.id()
                ));
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let said = self.said.join().map_err(|_| "a reader panicked")?;
        let (output, ended_at) = self.output.join().map_err(|_| "a reader panicked")?;
        let stderr: Vec<&str> = said.iter().map(|(_, line)| line.as_str()).collect();
        let stderr = stderr.join("\n");
        let json = serde_json::from_slice(&output).map_err(|error| {
            format!(
                "no JSON on standard output: {error}: {:?}; {stderr}",
                String::from_utf8_lossy(&output)
            )
        });
        let ended = Ended {
            exit: status.code(),
            json: json.unwrap_or(Value::Null),
            stderr,
        };
        Ok((ended, said, ended_at))
    }
}

/// The case that runs now, for the trace.
static CASE: Mutex<String> = Mutex::new(String::new());

pub(crate) fn now_runs(case: &str) {
    case.clone_into(&mut CASE.lock().unwrap_or_else(PoisonError::into_inner));
}

/// Appends a race to the file that `LOCKAGE_TEST_TRACE` names.
fn trace(replicas: &[Value]) -> Result<(), String> {
    let Ok(path) = std::env::var("LOCKAGE_TEST_TRACE") else {
        return Ok(());
    };
    let case = CASE.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(|error| format!("{path}: {error}"))?;
    writeln!(file, "{}", json!({"case": case, "replicas": replicas}))
        .map_err(|error| format!("{path}: {error}"))
}

/// Runs one command to its end.
pub(crate) fn run(command: &mut Command) -> Result<Ended, String> {
    let begun = Instant::now();
    let replica = Replica::start(command, begun)?;
    Ok(replica.finish(begun + DEADLINE)?.0)
}

/// Runs `lockage up` so many times at once, to the end.
pub(crate) fn race(count: usize, urls: &[String], dir: &Path) -> Result<Vec<Ended>, String> {
    Race::start(count, urls, dir)?.finish()
}
