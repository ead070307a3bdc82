//! The identity of a process on this machine, which stays unique when the operating system reuses its process id.

use rustix::process::{Pid, test_kill_process};

/// A process id and the start time of the process.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ProcessIdentity {
    pid: i32,
    start_time: String,
}

impl ProcessIdentity {
    pub(crate) fn current() -> Self {
        Self::of(std::process::id() as i32)
    }

    fn of(pid: i32) -> Self {
        Self {
            pid,
            start_time: start_time(pid).unwrap_or_default(),
        }
    }

    /// Parses the output of [`format`](Self::format).
    pub(crate) fn parse(text: &str, separator: char) -> Option<Self> {
        let (pid, start_time) = text.split_once(separator)?;
        Some(Self {
            pid: pid.parse().ok()?,
            start_time: start_time.to_owned(),
        })
    }

    pub(crate) fn format(&self, separator: char) -> String {
        format!("{}{separator}{}", self.pid, self.start_time)
    }

    /// Returns whether the process has exited.
    pub(crate) fn has_exited(&self) -> bool {
        let exists = Pid::from_raw(self.pid).is_some_and(|pid| test_kill_process(pid).is_ok());
        !(exists && start_time(self.pid).unwrap_or_default() == self.start_time)
    }
}

/// Returns the start time of a process in clock ticks since boot, or `None` if the system has no `/proc`.
fn start_time(pid: i32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses, which may contain any character.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_exited_detects_dead_processes_and_reused_ids() {
        let current = ProcessIdentity::current();
        assert_eq!(
            ProcessIdentity::parse(&current.format('/'), '/'),
            Some(ProcessIdentity::current())
        );
        assert!(!current.has_exited());
        // The system has reused the process id.
        let earlier = ProcessIdentity {
            start_time: "1".into(),
            ..ProcessIdentity::current()
        };
        assert!(earlier.has_exited());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let dead = ProcessIdentity::of(child.id() as i32);
        child.wait().unwrap();
        assert!(dead.has_exited());
        assert_eq!(ProcessIdentity::parse("kept", '/'), None);
    }
}
