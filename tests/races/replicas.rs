//! Processes of the binary under test.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

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
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockage-under-test"));
    command
        .args(["--json", "--url", url, "--dir"])
        .arg(dir)
        .args(arguments)
        .current_dir(dir);
    for (name, _) in
        std::env::vars().filter(|(name, _)| name.starts_with("LOCKAGE_") || name == "DATABASE_URL")
    {
        command.env_remove(name);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Starts `lockage up` so many times at once.
pub(crate) fn start(count: usize, url: &str, dir: &Path) -> Result<Vec<Child>, String> {
    let mut up = command(url, dir, &["up", "--wait", "240s"]);
    (0..count)
        .map(|_| up.spawn().map_err(|error| error.to_string()))
        .collect()
}

/// Waits for all to end.
pub(crate) fn finish(children: Vec<Child>) -> Result<Vec<Ended>, String> {
    let deadline = Instant::now() + DEADLINE;
    let readers: Vec<_> = children
        .into_iter()
        .map(|child| {
            let id = child.id();
            (id, std::thread::spawn(move || child.wait_with_output()))
        })
        .collect();
    let mut ended = Vec::new();
    for (id, reader) in readers {
        while !reader.is_finished() {
            if Instant::now() > deadline {
                return Err(format!("process {id} has not ended within {DEADLINE:?}"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let output = reader
            .join()
            .map_err(|_| "a reader panicked")?
            .map_err(|error| error.to_string())?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let json = serde_json::from_slice(&output.stdout).map_err(|error| {
            format!(
                "no JSON on standard output: {error}: {:?}; {stderr}",
                String::from_utf8_lossy(&output.stdout)
            )
        });
        ended.push(Ended {
            exit: output.status.code(),
            json: json.unwrap_or(Value::Null),
            stderr,
        });
    }
    Ok(ended)
}

/// Runs `lockage up` so many times at once, to the end.
pub(crate) fn race(count: usize, url: &str, dir: &Path) -> Result<Vec<Ended>, String> {
    finish(start(count, url, dir)?)
}
