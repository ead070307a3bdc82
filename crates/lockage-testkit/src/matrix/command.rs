//! Programs that end in time, or are ended.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;

/// Runs a command to its end.
pub(super) fn ended(command: &mut Command, deadline: Duration) -> Result<Output, Failure> {
    let program = command.get_program().to_string_lossy().into_owned();
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    let id = child.id();
    let reader = std::thread::spawn(move || child.wait_with_output());
    let end = Instant::now() + deadline;
    while !reader.is_finished() {
        if Instant::now() > end {
            kill(id);
            return Err(format!("{program} has not ended within {deadline:?}").into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(reader.join().map_err(|_| "a reader panicked")??)
}

/// Runs a command to its end and gives what it printed.
pub(super) fn output(command: &mut Command, deadline: Duration) -> Result<String, Failure> {
    let done = ended(command, deadline)?;
    if !done.status.success() {
        let words: Vec<_> = std::iter::once(command.get_program())
            .chain(command.get_args())
            .take(3)
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(format!("{}: {}", words.join(" "), said.trim()).into());
    }
    Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
}

pub(super) fn kill(process: u32) {
    let pid = i32::try_from(process)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended by itself.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}
