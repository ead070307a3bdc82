//! Replicas as processes: the test program starts itself again with one hidden argument. Orders come on standard input, since a URL may
//! hold a password; what became of it goes to standard output, a line each.

use std::io::BufRead;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use lockage_message_store::MessageStore;
use lockage_message_store::lockage_core::Outcome;
use lockage_testkit::{Failure, SoleHolder};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::watch::Pause;

/// The hidden argument.
pub(crate) const ARGUMENT: &str = "--message-store-child";

/// No line takes longer.
const DEADLINE: Duration = Duration::from_secs(300);

/// What a replica does: it says `ready`, waits for a line, migrates, and says how it went.
#[expect(clippy::print_stdout, reason = "a child talks to its parent")]
pub(crate) fn serve() -> ExitCode {
    let mut lines = std::io::stdin().lock().lines();
    let mut order = || lines.next().and_then(Result::ok).unwrap_or_default();
    let (url, holder_file, mode) = (order(), order(), order());
    let builder = MessageStore::builder(url);
    // Under the lock, in the middle of the work, until it is killed.
    let (pause, _paused) = Pause::at_step(1);
    let builder = if mode == "pause" {
        builder.observer(pause.telling(|| println!("paused")))
    } else {
        builder.observer(SoleHolder::new(holder_file.into()))
    };
    println!("ready");
    order();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let done = match (runtime, builder.build()) {
        (Ok(runtime), Ok(store)) => runtime.block_on(store.migrate()),
        (Err(error), _) => {
            println!("failed {error}");
            return ExitCode::FAILURE;
        }
        (_, Err(error)) => Err(error),
    };
    match done {
        Ok(migrated) if migrated.main.outcome == Outcome::Applied => {
            println!("applied {}", migrated.main.applied.len());
        }
        Ok(_) => println!("up_to_date"),
        Err(error) => println!("failed {:?}", error),
    }
    ExitCode::SUCCESS
}

/// The parent's side. Killed when it is dropped.
pub(crate) struct Replica {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Replica {
    /// Starts a replica and returns once it is ready.
    pub(crate) async fn start(url: &str, holder_file: &Path, mode: &str) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a child without pipes".into());
        };
        let mut replica = Self {
            child,
            stdin,
            lines: BufReader::new(stdout).lines(),
        };
        let orders = format!("{url}\n{}\n{mode}\n", holder_file.display());
        replica.stdin.write_all(orders.as_bytes()).await?;
        match replica.hear().await?.as_str() {
            "ready" => Ok(replica),
            said => Err(format!("a child was to be ready and said `{said}`").into()),
        }
    }

    pub(crate) async fn go(&mut self) -> Result<(), Failure> {
        Ok(self.stdin.write_all(b"go\n").await?)
    }

    /// The next thing that it says.
    pub(crate) async fn hear(&mut self) -> Result<String, Failure> {
        match tokio::time::timeout(DEADLINE, self.lines.next_line()).await {
            Ok(line) => line?.ok_or_else(|| "a child ended without a word".into()),
            Err(_) => Err(format!("a child said nothing for {DEADLINE:?}").into()),
        }
    }

    /// Kills it, as `kill -9` does, and waits until it is gone.
    pub(crate) async fn kill(mut self) -> Result<(), Failure> {
        Ok(self.child.kill().await?)
    }
}
