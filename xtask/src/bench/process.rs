//! Running the program and watching it from outside.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What one run took.
pub(super) struct Taken {
    pub(super) wall: Duration,
    /// The most memory that it ever had, in KiB, where the system tells.
    pub(super) peak_kib: u64,
}

/// `lockage --url … --dir … up --create`, not yet started.
pub(super) fn up(program: &Path, url: &str, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args(["--quiet", "--json", "--url", url, "--dir"])
        .arg(dir)
        .args(["up", "--create"]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Runs it to its end.
pub(super) fn measure(command: &mut Command) -> Result<Taken, String> {
    let begun = Instant::now();
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
            let wall = begun.elapsed();
            return if status.success() {
                Ok(Taken { wall, peak_kib })
            } else {
                Err(format!("{command:?}: {status}"))
            };
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Starts it so many times at once; how long after the first the last was ready.
pub(super) fn spread(count: usize, mut command: Command) -> Result<Duration, String> {
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
            .map_err(|_| "a watcher panicked")?
            .map_err(|error| error.to_string())?;
        if !success {
            return Err("a replica failed".into());
        }
        ends.push(end);
    }
    let (first, last) = (ends.iter().min(), ends.iter().max());
    Ok(last
        .zip(first)
        .map_or(Duration::ZERO, |(last, first)| *last - *first))
}
