//! The parent's side of a child process.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::{CHILD_ARG, ChildCommand, ChildMessage};
use crate::TestError;

/// A child process. It is killed when the value is dropped.
#[derive(Debug)]
pub(crate) struct ChildProcess {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl ChildProcess {
    /// Starts a child and sends its command. `folder` is the temporary folder of the child. A child creates a fixture in the shared `main`
    /// and may be killed before it can clean up, so its files are removed with `folder`.
    pub(crate) async fn start(command: &ChildCommand, folder: &Path) -> Result<Self, TestError> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(CHILD_ARG)
            .env("TMPDIR", folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the child process has no pipes".into());
        };
        let mut process = Self {
            child,
            stdin,
            lines: BufReader::new(stdout).lines(),
        };
        process.send(&serde_json::to_string(command)?).await?;
        Ok(process)
    }

    /// Resumes a child that waits for a line.
    pub(crate) async fn resume(&mut self) -> Result<(), TestError> {
        self.send("resume").await
    }

    /// Returns the next message of the child.
    pub(crate) async fn receive(&mut self) -> Result<ChildMessage, TestError> {
        match self.lines.next_line().await? {
            Some(line) => serde_json::from_str(&line)
                .map_err(|error| format!("invalid message `{line}` of a child: {error}").into()),
            None => Err("a child process exited without a message".into()),
        }
    }

    /// Waits for the next message of the child, which must be `expected`.
    pub(crate) async fn expect(&mut self, expected: ChildMessage) -> Result<(), TestError> {
        match self.receive().await? {
            message if message == expected => Ok(()),
            message => {
                Err(format!("expected {expected:?} from a child, received {message:?}").into())
            }
        }
    }

    /// Kills the child with SIGKILL and waits until it has exited.
    pub(crate) async fn kill(mut self) -> Result<(), TestError> {
        Ok(self.child.kill().await?)
    }

    async fn send(&mut self, line: &str) -> Result<(), TestError> {
        self.stdin.write_all(format!("{line}\n").as_bytes()).await?;
        Ok(self.stdin.flush().await?)
    }
}
