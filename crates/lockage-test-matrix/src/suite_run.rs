//! Runs a test program and reads its results.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use lockage_testkit::TestError;

use crate::build::Program;
use crate::command::kill;
use crate::outcome::{CaseOutcome, CaseState, SuiteOutcome};

/// The longest time of a case. A program without output for this time is killed.
const CASE_TIMEOUT: Duration = Duration::from_secs(1200);

/// The running test program, for the signal handler.
static RUNNING: Mutex<Option<u32>> = Mutex::new(None);

/// Kills the running test program.
pub(crate) fn kill_running() {
    if let Some(process) = running().take() {
        kill(process);
    }
}

fn running() -> std::sync::MutexGuard<'static, Option<u32>> {
    RUNNING
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Runs a test program until it exits. Calls `on_case` after each case.
pub(crate) fn run(
    name: &str,
    program: &Program,
    arguments: &[String],
    environment: &[(String, String)],
    log: &mut impl Write,
    on_case: &mut dyn FnMut(&SuiteOutcome),
) -> Result<SuiteOutcome, TestError> {
    let mut command = Command::new(&program.path);
    command
        .args(arguments)
        .current_dir(&program.folder)
        // The variables that `cargo test` sets.
        .env("CARGO", env!("CARGO"))
        .env("CARGO_MANIFEST_DIR", &program.folder)
        .env("CARGO_PKG_NAME", &program.package);
    // The program must use the server of the cell, not a server from the user's variables.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LOCKAGE_") {
            command.env_remove(name);
        }
    }
    command
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null());
    run_reporting_command(name, &mut command, log, on_case)
}

/// Runs a command that prints results in the format of libtest.
pub(crate) fn run_reporting_command(
    name: &str,
    command: &mut Command,
    log: &mut impl Write,
    on_case: &mut dyn FnMut(&SuiteOutcome),
) -> Result<SuiteOutcome, TestError> {
    let started_at = Instant::now();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    *running() = Some(child.id());
    let lines = output_lines(&mut child)?;
    let mut suite = SuiteOutcome::new(name);
    loop {
        let line = match lines.recv_timeout(CASE_TIMEOUT) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                kill(child.id());
                child.wait()?;
                suite
                    .output
                    .push_str(&format!("killed: no output for {CASE_TIMEOUT:?}\n"));
                return Ok(suite);
            }
        };
        writeln!(log, "{line}")?;
        match CaseOutcome::parse(&line) {
            Some(case) => {
                suite.cases.push(case);
                on_case(&suite);
            }
            None => {
                suite.output.push_str(&line);
                suite.output.push('\n');
            }
        }
    }
    let status = child.wait()?;
    running().take();
    suite.seconds = started_at.elapsed().as_secs_f64();
    suite.passed = status.success() && suite.count(CaseState::Failed) == 0;
    if suite.passed {
        suite.output.clear();
    } else {
        suite.output.push_str(&format!("{status}\n"));
    }
    Ok(suite)
}

/// Returns the lines of both outputs of a child. The channel closes after both have ended.
fn output_lines(child: &mut Child) -> Result<Receiver<String>, TestError> {
    let (sender, lines) = channel();
    let stdout = child.stdout.take().ok_or("the child has no pipe")?;
    let stderr = child.stderr.take().ok_or("the child has no pipe")?;
    let stderr_sender = sender.clone();
    std::thread::spawn(move || forward_lines(BufReader::new(stdout), &sender));
    std::thread::spawn(move || forward_lines(BufReader::new(stderr), &stderr_sender));
    Ok(lines)
}

fn forward_lines(lines: impl BufRead, to: &std::sync::mpsc::Sender<String>) {
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
