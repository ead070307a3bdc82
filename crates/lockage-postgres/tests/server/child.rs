//! This test program as a child process that migrates or holds the lock.

use std::io::Write;
use std::process::{ExitCode, Stdio};

use lockage_core::{
    ConnectOptions, LockKey, LockStrategy, LockWait, MigrationSet, NoObserver, PlanOptions,
    Registry, TryLock, plan,
};
use lockage_postgres::BACKEND;
use lockage_testkit::TestError;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};

use crate::migrations::runner;

/// Precedes the role in the arguments.
const CHILD_ARG: &str = "--as";

/// What a child process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Migrates, and reports the outcome.
    Up,
    /// Acquires the lock, reports it, waits for a line, migrates, and reports the outcome.
    Hold,
    /// Does the same as `Hold` with the lock in a table.
    HoldRow,
}

impl Role {
    const ALL: [(Self, &str); 3] = [
        (Self::Up, "up"),
        (Self::Hold, "hold"),
        (Self::HoldRow, "hold-row"),
    ];

    fn argument(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find(|(role, _)| *role == self)
            .map_or("", |(_, argument)| argument)
    }
}

/// A child process, which is killed when it is dropped.
pub(crate) struct Child {
    process: tokio::process::Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts a child that runs these scripts. `exec_prefix` is the command that starts the program in another environment.
    pub(crate) fn start(
        exec_prefix: &[&str],
        role: Role,
        url: &str,
        scripts: &[&str],
    ) -> Result<Self, TestError> {
        let program = std::env::current_exe()?;
        let mut command = match exec_prefix {
            [] => Command::new(program),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        let mut process = command
            .args([CHILD_ARG, role.argument(), url])
            .args(scripts)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self {
            input: process.stdin.take().ok_or("no input")?,
            output: BufReader::new(process.stdout.take().ok_or("no output")?).lines(),
            process,
        })
    }

    /// Starts a child that holds the lock, and waits until it does.
    pub(crate) async fn start_holder(
        exec_prefix: &[&str],
        role: Role,
        url: &str,
        script: &str,
    ) -> Result<Self, TestError> {
        let mut child = Self::start(exec_prefix, role, url, &[script])?;
        assert_eq!(child.message().await?, LOCKED);
        Ok(child)
    }

    /// Returns the next message of the child.
    pub(crate) async fn message(&mut self) -> Result<String, TestError> {
        Ok(self
            .output
            .next_line()
            .await?
            .ok_or("the child ended without a message")?)
    }

    /// Lets a child that holds the lock migrate.
    pub(crate) async fn resume(&mut self) -> Result<(), TestError> {
        Ok(self.input.write_all(b"\n").await?)
    }

    /// Sends a signal, by its name.
    pub(crate) async fn signal(&self, name: &str) -> Result<(), TestError> {
        let pid = self.process.id().ok_or("the child has ended")?;
        let sent = Command::new("kill")
            .args(["-s", name, &pid.to_string()])
            .status()
            .await?;
        if !sent.success() {
            return Err(format!("kill -s {name}: {sent}").into());
        }
        Ok(())
    }
}

/// The message of a child that holds the lock.
const LOCKED: &str = "locked";

/// Runs the role of this process, if it was started as a child.
pub(crate) fn run_child_if_requested(args: &[String]) -> Option<ExitCode> {
    let [_, child_arg, argument, url, scripts @ ..] = args else {
        return None;
    };
    if child_arg != CHILD_ARG {
        return None;
    }
    let (role, _) = Role::ALL.into_iter().find(|(_, name)| name == argument)?;
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(TestError::from)
        .and_then(|runtime| runtime.block_on(run_role(role, url, scripts)));
    let _ = match outcome {
        Ok(()) => send_message("done"),
        Err(error) => send_message(&error.to_string().replace('\n', " ")),
    };
    Some(ExitCode::SUCCESS)
}

async fn run_role(role: Role, url: &str, scripts: &[String]) -> Result<(), TestError> {
    let files: Vec<(String, &str)> = scripts
        .iter()
        .enumerate()
        .map(|(index, script)| (format!("V{}__a.sql", index + 1), script.as_str()))
        .collect();
    if role == Role::Up {
        let runner = runner(url, &files)?.wait(LockWait::Forever);
        return match runner.up().await {
            Ok(report) => send_message(report.outcome.as_str()),
            Err(error) => Err(format!("{}: {error}", error.kind()).into()),
        };
    }
    let mut options = ConnectOptions::new(url)?;
    if role == Role::HoldRow {
        options.lock_strategy = LockStrategy::Table;
    }
    let session = Registry::default().with(BACKEND)?.connect(&options).await?;
    let TryLock::Acquired(mut locked) = session.try_lock(&LockKey::default()).await? else {
        return Err("another session holds the lock".into());
    };
    locked.ensure_history().await?;
    send_message(LOCKED)?;
    let mut line = String::new();
    // Blocks this thread. The renewal of a lease runs on the worker thread of the runtime.
    std::io::stdin().read_line(&mut line)?;
    let set = MigrationSet::from_texts(files)?;
    let steps = plan::plan_up(&set, &locked.history().await?, &PlanOptions::default());
    for step in steps?.steps {
        if let Err(error) = locked.apply(&step, &NoObserver).await {
            return Err(format!("{}: {error}", error.kind()).into());
        }
    }
    locked.release().await?;
    Ok(())
}

fn send_message(line: &str) -> Result<(), TestError> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
