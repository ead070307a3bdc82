//! The child's side of a child process.

use std::io::{BufRead, Write};
use std::process::ExitCode;

use lockage_core::{
    Backend, ConnectOptions, Error, ErrorKind, MigrationSet, Registry, Result, Runner, TryLock,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{CHILD_ARG, ChildCommand, ChildMessage, ChildRole};
use crate::ExclusivityProbe;

/// The exit code of a child whose parent has exited.
const PARENT_EXITED: i32 = 3;

/// Runs the role of a child process if a case started this process as one, and returns its exit code. [`Suite::main`](crate::Suite::main)
/// calls it first. A test binary with a `main` of its own that runs cases with [`Suite::run`](crate::Suite::run) must call it too.
pub fn run_child_if_requested(backend: Backend) -> Option<ExitCode> {
    if std::env::args_os().nth(1)? != CHILD_ARG {
        return None;
    }
    let mut lines = stdin_lines();
    let result = receive_command(&mut lines).and_then(|command| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Error::new(ErrorKind::Unexpected, error.to_string()))?;
        runtime.block_on(run_role(backend, command, lines))
    });
    Some(match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            send_message(&ChildMessage::failed(&error));
            ExitCode::FAILURE
        }
    })
}

async fn run_role(
    backend: Backend,
    command: ChildCommand,
    mut lines: UnboundedReceiver<String>,
) -> Result<()> {
    let registry = Registry::default().with(backend)?;
    let mut options = ConnectOptions::new(command.url)?;
    options.ddl_lock_timeout = None;
    let key = command.key.to_lock_key()?;
    match command.role {
        ChildRole::Up {
            folder,
            exclusivity_file,
        } => {
            let set = MigrationSet::from_folder(folder)?;
            send_message(&ChildMessage::Ready);
            lines.recv().await;
            let runner = Runner::new(registry, options, set)
                .lock_key(key)
                .observer(ExclusivityProbe::new(exclusivity_file));
            send_message(&runner.up().await.into());
        }
        ChildRole::Hold => {
            let session = registry.connect(&options).await?;
            let TryLock::Acquired(locked) = session.try_lock(&key).await? else {
                return Err(Error::new(
                    ErrorKind::LockTimeout,
                    "another session holds the lock",
                ));
            };
            send_message(&ChildMessage::Holding);
            lines.recv().await;
            locked.release().await?.close().await?;
            send_message(&ChildMessage::Released);
        }
    }
    Ok(())
}

/// Returns the lines of standard input. Standard input ends when the parent exits. Then this process exits too, even if it is blocked.
fn stdin_lines() -> UnboundedReceiver<String> {
    let (sender, lines) = unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(|line| line.ok()) {
            let _ = sender.send(line);
        }
        std::process::exit(PARENT_EXITED);
    });
    lines
}

fn receive_command(lines: &mut UnboundedReceiver<String>) -> Result<ChildCommand> {
    let line = lines.blocking_recv().unwrap_or_default();
    serde_json::from_str(&line).map_err(|error| {
        Error::new(
            ErrorKind::InvalidConfig,
            "the child received no valid command",
        )
        .with_source(error)
    })
}

fn send_message(message: &ChildMessage) {
    let mut out = std::io::stdout().lock();
    // If the parent has closed the pipe, the test has ended.
    let _ = serde_json::to_writer(&mut out, message).map_err(std::io::Error::from);
    let _ = writeln!(out).and_then(|()| out.flush());
}
