//! Runs programs with a timeout.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use lockage_testkit::TestError;

/// Runs a command until it exits. Kills it after `timeout`.
pub(crate) fn run_with_timeout(
    command: &mut Command,
    timeout: Duration,
) -> Result<Output, TestError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    let id = child.id();
    let reader = std::thread::spawn(move || child.wait_with_output());
    let deadline = Instant::now() + timeout;
    while !reader.is_finished() {
        if Instant::now() > deadline {
            kill(id);
            return Err(format!("{program} has not exited within {timeout:?}").into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(reader.join().map_err(|_| "a reader thread panicked")??)
}

/// Runs a command until it exits and returns its standard output.
pub(crate) fn output(command: &mut Command, timeout: Duration) -> Result<String, TestError> {
    let output = run_with_timeout(command, timeout)?;
    if !output.status.success() {
        let words: Vec<_> = std::iter::once(command.get_program())
            .chain(command.get_args())
            .take(3)
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {}", words.join(" "), stderr.trim()).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Kills a process with SIGKILL.
pub(crate) fn kill(process: u32) {
    let pid = i32::try_from(process)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // The process may have exited already.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}
