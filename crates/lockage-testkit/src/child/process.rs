//! The parent's side.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::{ARGUMENT, ChildCommand, ChildMessage};
use crate::TestError;

/// A child process. Killed when it is dropped.
#[derive(Debug)]
pub(crate) struct ChildProcess {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl ChildProcess {
    /// Starts a child and gives it its command. What it leaves behind in its temporary folder goes with `folder`: a child makes a
    /// fixture too, in the `main` that they share, and is killed before it could clean up.
    pub(crate) async fn start(command: &ChildCommand, folder: &Path) -> Result<Self, TestError> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(ARGUMENT)
            .env("TMPDIR", folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a child process without pipes".into());
        };
        let mut started = Self {
            child,
            stdin,
            lines: BufReader::new(stdout).lines(),
        };
        started.tell(&serde_json::to_string(command)?).await?;
        Ok(started)
    }

    /// Lets a child resume on that waits for a line.
    pub(crate) async fn resume(&mut self) -> Result<(), TestError> {
        self.tell("resume").await
    }

    /// The next thing that the child says.
    pub(crate) async fn receive(&mut self) -> Result<ChildMessage, TestError> {
        match self.lines.next_line().await? {
            Some(line) => serde_json::from_str(&line)
                .map_err(|error| format!("a child said `{line}`: {error}").into()),
            None => Err("a child process ended without a word".into()),
        }
    }

    /// Waits until the child says just this.
    pub(crate) async fn expect(&mut self, expected: ChildMessage) -> Result<(), TestError> {
        match self.receive().await? {
            said if said == expected => Ok(()),
            said => Err(format!("a child was to say {expected:?} and said {said:?}").into()),
        }
    }

    /// Kills the child, as `kill -9` does, and waits until it is gone.
    pub(crate) async fn kill(mut self) -> Result<(), TestError> {
        Ok(self.child.kill().await?)
    }

    async fn tell(&mut self, line: &str) -> Result<(), TestError> {
        self.stdin.write_all(format!("{line}\n").as_bytes()).await?;
        Ok(self.stdin.flush().await?)
    }
}
