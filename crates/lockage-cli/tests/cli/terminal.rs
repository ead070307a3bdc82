//! A pseudo-terminal that a test controls.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::sandbox::CallResult;

/// A running program whose standard input and standard error are a terminal.
pub(crate) struct Terminal {
    /// `None` after the program has exited.
    child: Option<Child>,
    screen: File,
    seen: String,
}

impl Terminal {
    pub(crate) fn start(mut command: Command) -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let name = OsStr::from_bytes(name.as_bytes());
        let line = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let size = Winsize {
            ws_row: 24,
            ws_col: 120,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&line, size).unwrap();
        let child = command
            .stdin(Stdio::from(line.try_clone().unwrap()))
            .stderr(Stdio::from(line))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Closes this process's copies of the terminal, so that reading ends when the program exits.
        drop(command);
        Self {
            child: Some(child),
            screen: File::from(master),
            seen: String::new(),
        }
    }

    /// Reads until the screen has shown `text`.
    pub(crate) fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(120);
        while !self.seen.contains(text) {
            assert!(
                Instant::now() < deadline,
                "no {text:?} in {}",
                self.last_screen()
            );
            assert!(self.read(), "no {text:?} in {}", self.last_screen());
        }
    }

    /// Types on the terminal.
    pub(crate) fn send_keys(&mut self, text: &str) {
        self.screen.write_all(text.as_bytes()).unwrap();
    }

    /// Sends a signal to the program.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until the program exits. Standard error is everything that the screen has shown.
    pub(crate) fn wait(mut self) -> CallResult {
        while self.read() {}
        let mut call =
            CallResult::from_output(&self.child.take().unwrap().wait_with_output().unwrap());
        call.err = std::mem::take(&mut self.seen);
        call
    }

    /// Returns the last part of what the screen has shown.
    fn last_screen(&self) -> String {
        let skip = self.seen.chars().count().saturating_sub(1000);
        self.seen.chars().skip(skip).collect()
    }

    /// Reads more and returns false at the end, which Linux reports as an error.
    fn read(&mut self) -> bool {
        let mut ready = [PollFd::new(&self.screen, PollFlags::IN)];
        let limit = Timespec {
            tv_sec: 120,
            tv_nsec: 0,
        };
        let ready = poll(&mut ready, Some(&limit)).unwrap();
        assert!(
            ready > 0,
            "no more output for 120 s after {}",
            self.last_screen()
        );
        let mut bytes = [0; 4096];
        let count = self.screen.read(&mut bytes).unwrap_or(0);
        self.seen
            .push_str(&String::from_utf8_lossy(&bytes[..count]));
        count > 0
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
