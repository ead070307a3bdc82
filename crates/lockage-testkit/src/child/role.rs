//! The child's side.

use std::io::{BufRead, Write};
use std::process::ExitCode;

use lockage_core::{
    TryLock, Backend, ConnectOptions, Error, ErrorKind, MigrationSet, Registry, Result, Runner,
};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{ARGUMENT, Orders, Role, Said};
use crate::sole_holder::SoleHolder;

/// Plays a replica, if this process was started by a case to be one. [`Suite::main`](crate::Suite::main) does this first; a test binary
/// with a `main` of its own, that runs cases by [`Suite::run`](crate::Suite::run), does it too.
pub fn serve_child(backend: Backend) -> Option<ExitCode> {
    if std::env::args_os().nth(1)? != ARGUMENT {
        return None;
    }
    let mut lines = listen();
    let played = orders(&mut lines).and_then(|orders| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Error::new(ErrorKind::Unexpected, error.to_string()))?;
        runtime.block_on(play(backend, orders, lines))
    });
    Some(match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&Said::failed(&error));
            ExitCode::FAILURE
        }
    })
}

async fn play(
    backend: Backend,
    orders: Orders,
    mut lines: UnboundedReceiver<String>,
) -> Result<()> {
    let registry = Registry::default().with(backend)?;
    let mut options = ConnectOptions::new(orders.url)?;
    options.ddl_lock_timeout = None;
    let key = orders.key.to_lock_key()?;
    match orders.role {
        Role::Up {
            folder,
            holder_file,
        } => {
            let set = MigrationSet::from_folder(folder)?;
            say(&Said::Ready);
            lines.recv().await;
            let runner = Runner::new(registry, options, set)
                .lock_key(key)
                .observer(SoleHolder::new(holder_file));
            say(&runner.up().await.into());
        }
        Role::Hold => {
            let session = registry.connect(&options).await?;
            let TryLock::Acquired(locked) = session.try_lock(&key).await? else {
                return Err(Error::new(
                    ErrorKind::LockTimeout,
                    "somebody else holds the lock",
                ));
            };
            say(&Said::Holding);
            lines.recv().await;
            locked.release().await?.close().await?;
            say(&Said::Released);
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

fn orders(lines: &mut UnboundedReceiver<String>) -> Result<Orders> {
    let line = lines.blocking_recv().unwrap_or_default();
    serde_json::from_str(&line).map_err(|error| {
        Error::new(ErrorKind::InvalidConfig, "a child got no orders").with_source(error)
    })
}

fn say(what: &Said) {
    let mut out = std::io::stdout().lock();
    // A parent that no longer listens has ended the test.
    let _ = serde_json::to_writer(&mut out, what).map_err(std::io::Error::from);
    let _ = writeln!(out).and_then(|()| out.flush());
}
