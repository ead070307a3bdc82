//! A process of this machine, told apart from a later one of the same number.

use rustix::process::{Pid, test_kill_process};

/// Its number, and when it began.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ProcessMark {
    number: i32,
    begun: String,
}

impl ProcessMark {
    pub(crate) fn this() -> Self {
        Self::of(std::process::id() as i32)
    }

    fn of(number: i32) -> Self {
        Self {
            number,
            begun: begun(number).unwrap_or_default(),
        }
    }

    /// Reads what [`written`](Self::written) wrote.
    pub(crate) fn parse(text: &str, between: char) -> Option<Self> {
        let (number, begun) = text.split_once(between)?;
        Some(Self {
            number: number.parse().ok()?,
            begun: begun.to_owned(),
        })
    }

    pub(crate) fn written(&self, between: char) -> String {
        format!("{}{between}{}", self.number, self.begun)
    }

    /// Whether it does not live any more.
    pub(crate) fn is_gone(&self) -> bool {
        let lives = Pid::from_raw(self.number).is_some_and(|pid| test_kill_process(pid).is_ok());
        !(lives && begun(self.number).unwrap_or_default() == self.begun)
    }
}

/// When a process began, where the system tells.
fn begun(process: i32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is the program's name, in brackets, and may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_that_is_no_more_is_gone() {
        let this = ProcessMark::this();
        assert_eq!(
            ProcessMark::parse(&this.written('/'), '/'),
            Some(ProcessMark::this())
        );
        assert!(!this.is_gone());
        // Another process has the number now.
        let earlier = ProcessMark {
            begun: "1".into(),
            ..ProcessMark::this()
        };
        assert!(earlier.is_gone());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let dead = ProcessMark::of(child.id() as i32);
        child.wait().unwrap();
        assert!(dead.is_gone());
        assert_eq!(ProcessMark::parse("kept", '/'), None);
    }
}
