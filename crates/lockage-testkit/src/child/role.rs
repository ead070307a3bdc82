//! The child's side.

use std::io::{BufRead, Write};
use std::process::ExitCode;

use lockage_core::{
    Backend, ConnectOptions, Error, ErrorKind, MigrationSet, Registry, Result, Runner, TryLock,
};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{ARGUMENT, ChildCommand, ChildMessage, ChildRole};
use crate::exclusivity::ExclusivityProbe;

/// Plays a replica, if this process was started by a case to be one. [`Suite::main`](crate::Suite::main) does this first; a test binary
/// with a `main` of its own, that runs cases by [`Suite::run`](crate::Suite::run), does it too.
pub fn run_child_if_requested(backend: Backend) -> Option<ExitCode> {
    if std::env::args_os().nth(1)? != ARGUMENT {
        return None;
    }
    let mut lines = listen();
    let played = command(&mut lines).and_then(|command| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Error::new(ErrorKind::Unexpected, error.to_string()))?;
        runtime.block_on(play(backend, command, lines))
    });
    Some(match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&ChildMessage::failed(&error));
            ExitCode::FAILURE
        }
    })
}

async fn play(
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
            holder_file,
        } => {
            let set = MigrationSet::from_folder(folder)?;
            say(&ChildMessage::Ready);
            lines.recv().await;
            let runner = Runner::new(registry, options, set)
                .lock_key(key)
                .observer(ExclusivityProbe::new(holder_file));
            say(&runner.up().await.into());
        }
        ChildRole::Hold => {
            let session = registry.connect(&options).await?;
            let TryLock::Acquired(locked) = session.try_lock(&key).await? else {
                return Err(Error::new(
                    ErrorKind::LockTimeout,
                    "somebody else holds the lock",
                ));
            };
            say(&ChildMessage::Holding);
            lines.recv().await;
            locked.release().await?.close().await?;
            say(&ChildMessage::Released);
        }
    }
    Ok(())
}

/// Hands out the lines of standard input. At its end the parent is gone, and with it the reason to be: the process ends, whatever it is
/// doing.
fn listen() -> UnboundedReceiver<String> {
    let (sender, lines) = unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(|line| line.ok()) {
            let _ = sender.send(line);
        }
        std::process::exit(3);
    });
    lines
}

fn command(lines: &mut UnboundedReceiver<String>) -> Result<ChildCommand> {
    let line = lines.blocking_recv().unwrap_or_default();
    serde_json::from_str(&line).map_err(|error| {
        Error::new(ErrorKind::InvalidConfig, "a child got no command").with_source(error)
    })
}

fn say(what: &ChildMessage) {
    let mut out = std::io::stdout().lock();
    // A parent that no longer listens has ended the test.
    let _ = serde_json::to_writer(&mut out, what).map_err(std::io::Error::from);
    let _ = writeln!(out).and_then(|()| out.flush());
}
