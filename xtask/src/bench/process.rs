//! Runs the program and measures its time and memory.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The time and the memory of one run.
pub(super) struct Measurement {
    pub(super) wall: Duration,
    /// The peak memory in KiB, or zero if the system does not report it.
    pub(super) peak_kib: u64,
}

/// Returns the command `lockage --url … --dir … up --create`.
pub(super) fn up(program: &Path, url: &str, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args(["--quiet", "--json", "--url", url, "--dir"])
        .arg(dir)
        .args(["up", "--create"]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Runs a command until it exits.
pub(super) fn measure(command: &mut Command) -> Result<Measurement, String> {
    let started_at = Instant::now();
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0;
    loop {
        let status = std::fs::read_to_string(&status_file).unwrap_or_default();
        let peak = status.lines().find_map(|line| {
            line.strip_prefix("VmHWM:")?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        });
        peak_kib = peak_kib.max(peak.unwrap_or(0));
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            let wall = started_at.elapsed();
            return if status.success() {
                Ok(Measurement { wall, peak_kib })
            } else {
                Err(format!("{command:?}: {status}"))
            };
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Starts a command `count` times and returns the time from the first exit to the last.
pub(super) fn exit_range(count: usize, mut command: Command) -> Result<Duration, String> {
    let children: Vec<_> = (0..count)
        .map(|_| command.spawn())
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    let watchers: Vec<_> = children
        .into_iter()
        .map(|mut child| {
            std::thread::spawn(move || {
                child
                    .wait()
                    .map(|status| (status.success(), Instant::now()))
            })
        })
        .collect();
    let mut ends = Vec::new();
    for watcher in watchers {
        let (success, end) = watcher
            .join()
            .map_err(|_| "a watcher thread panicked")?
            .map_err(|error| error.to_string())?;
        if !success {
            return Err("a process failed".into());
        }
        ends.push(end);
    }
    let (first, last) = (ends.iter().min(), ends.iter().max());
    Ok(last
        .zip(first)
        .map_or(Duration::ZERO, |(last, first)| *last - *first))
}
