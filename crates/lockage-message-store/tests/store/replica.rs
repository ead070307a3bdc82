//! Replicas as processes: the test program starts itself with a hidden argument. A replica reads its parameters from standard
//! input, because a URL can contain a password, and prints one line for each state that it reaches.

use std::io::BufRead;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use lockage_message_store::MessageStore;
use lockage_message_store::lockage_core::Outcome;
use lockage_testkit::{ExclusivityProbe, TestError};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::observers::PauseAtStep;

/// The hidden argument.
pub(crate) const CHILD_ARG: &str = "--message-store-child";

/// The maximum time between two lines.
const LINE_TIMEOUT: Duration = Duration::from_secs(300);

/// Runs a replica: it prints `ready`, waits for a line, migrates, and prints the result.
#[expect(clippy::print_stdout, reason = "a child reports to its parent")]
pub(crate) fn run() -> ExitCode {
    let mut lines = std::io::stdin().lock().lines();
    let mut read_line = || lines.next().and_then(Result::ok).unwrap_or_default();
    let (url, holder_file, mode) = (read_line(), read_line(), read_line());
    let builder = MessageStore::builder(url);
    // Pauses between two migrations, with the lock, until the process is killed.
    let (pause, _paused) = PauseAtStep::at_step(1);
    let builder = if mode == "pause" {
        builder.observer(pause.with_callback(|| println!("paused")))
    } else {
        builder.observer(ExclusivityProbe::new(holder_file.into()))
    };
    println!("ready");
    read_line();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let result = match (runtime, builder.build()) {
        (Ok(runtime), Ok(store)) => runtime.block_on(store.migrate()),
        (Err(error), _) => {
            println!("failed {error}");
            return ExitCode::FAILURE;
        }
        (_, Err(error)) => Err(error),
    };
    match result {
        Ok(migrated) if migrated.main.outcome == Outcome::Applied => {
            println!("applied {}", migrated.main.applied.len());
        }
        Ok(_) => println!("up_to_date"),
        Err(error) => println!("failed {:?}", error),
    }
    ExitCode::SUCCESS
}

/// The parent's handle of a replica. Dropping it kills the process.
pub(crate) struct Replica {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Replica {
    /// Starts a replica and waits until it is ready.
    pub(crate) async fn start(
        url: &str,
        holder_file: &Path,
        mode: &str,
    ) -> Result<Self, TestError> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(CHILD_ARG)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the child has no pipes".into());
        };
        let mut replica = Self {
            child,
            stdin,
            lines: BufReader::new(stdout).lines(),
        };
        let parameters = format!("{url}\n{}\n{mode}\n", holder_file.display());
        replica.stdin.write_all(parameters.as_bytes()).await?;
        match replica.next_line().await?.as_str() {
            "ready" => Ok(replica),
            line => Err(format!("expected `ready` from the child, not `{line}`").into()),
        }
    }

    /// Lets the replica migrate.
    pub(crate) async fn go(&mut self) -> Result<(), TestError> {
        Ok(self.stdin.write_all(b"go\n").await?)
    }

    /// Returns the next line that the replica prints.
    pub(crate) async fn next_line(&mut self) -> Result<String, TestError> {
        match tokio::time::timeout(LINE_TIMEOUT, self.lines.next_line()).await {
            Ok(line) => line?.ok_or_else(|| "the child exited without a result".into()),
            Err(_) => Err(format!("the child printed nothing for {LINE_TIMEOUT:?}").into()),
        }
    }

    /// Kills the process, as `kill -9` does, and waits for its end.
    pub(crate) async fn kill(mut self) -> Result<(), TestError> {
        Ok(self.child.kill().await?)
    }
}
