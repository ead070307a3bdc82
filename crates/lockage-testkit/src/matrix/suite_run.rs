//! A test program, run and listened to.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::build::Program;
use super::command::kill;
use super::outcome::{CaseOutcome, CaseState, SuiteOutcome};
use crate::Failure;

/// No case takes longer.
const SILENCE: Duration = Duration::from_secs(1200);

/// The test program that runs now, for whoever has to end in a hurry.
static RUNNING: Mutex<Option<u32>> = Mutex::new(None);

/// Ends what runs.
pub(super) fn kill_running() {
    if let Some(process) = running().take() {
        kill(process);
    }
}

fn running() -> std::sync::MutexGuard<'static, Option<u32>> {
    RUNNING
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Runs a test program to its end; `each` hears of every case that is done.
pub(super) fn run(
    name: &str,
    program: &Program,
    arguments: &[String],
    environment: &[(String, String)],
    log: &mut impl Write,
    each: &mut dyn FnMut(&SuiteOutcome),
) -> Result<SuiteOutcome, Failure> {
    let mut command = Command::new(&program.path);
    command
        .args(arguments)
        .current_dir(&program.folder)
        // As `cargo test` would.
        .env("CARGO", env!("CARGO"))
        .env("CARGO_MANIFEST_DIR", &program.folder)
        .env("CARGO_PKG_NAME", &program.package);
    // Of a server that a variable names, only the cell's is meant.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LOCKAGE_") {
            command.env_remove(name);
        }
    }
    command
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null());
    listen(name, &mut command, log, each)
}

/// Runs a command that prints as test programs do.
pub(super) fn listen(
    name: &str,
    command: &mut Command,
    log: &mut impl Write,
    each: &mut dyn FnMut(&SuiteOutcome),
) -> Result<SuiteOutcome, Failure> {
    let begun = Instant::now();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    *running() = Some(child.id());
    let (sender, lines) = channel();
    let out = child.stdout.take().ok_or("no pipe")?;
    let err = child.stderr.take().ok_or("no pipe")?;
    let senders = sender.clone();
    let readers = [
        std::thread::spawn(move || forward(BufReader::new(out), &sender)),
        std::thread::spawn(move || forward(BufReader::new(err), &senders)),
    ];
    let mut suite = SuiteOutcome {
        name: name.to_owned(),
        passed: false,
        seconds: 0.0,
        cases: Vec::new(),
        said: String::new(),
    };
    loop {
        let line = match lines.recv_timeout(SILENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                kill(child.id());
                child.wait()?;
                suite
                    .said
                    .push_str(&format!("silent for {SILENCE:?}, and ended\n"));
                return Ok(suite);
            }
        };
        writeln!(log, "{line}")?;
        match CaseOutcome::read(&line) {
            Some(case) => {
                suite.cases.push(case);
                each(&suite);
            }
            None => {
                suite.said.push_str(&line);
                suite.said.push('\n');
            }
        }
    }
    for reader in readers {
        reader.join().map_err(|_| "a reader panicked")?;
    }
    let status = child.wait()?;
    running().take();
    suite.seconds = begun.elapsed().as_secs_f64();
    suite.passed = status.success() && suite.count(CaseState::Failed) == 0;
    if suite.passed {
        suite.said.clear();
    } else {
        suite.said.push_str(&format!("{status}\n"));
    }
    Ok(suite)
}

fn forward(lines: impl BufRead, to: &std::sync::mpsc::Sender<String>) {
    for line in lines.split(b'\n') {
        let Ok(line) = line else { return };
        if to
            .send(String::from_utf8_lossy(&line).into_owned())
            .is_err()
        {
            return;
        }
    }
}
