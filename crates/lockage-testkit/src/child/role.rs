//! The child's side.

use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, channel};

use lockage_core::{
    Attempt, Backend, ConnectOptions, Error, ErrorKind, MigrationSet, Registry, Result, Runner,
};

use super::{ARGUMENT, Orders, Role, Said};
use crate::sole_holder::SoleHolder;

/// Plays a role, if this process was started to play one.
pub(crate) fn serve(backend: Backend) -> Option<ExitCode> {
    if std::env::args_os().nth(1)? != ARGUMENT {
        return None;
    }
    let lines = listen();
    let played = orders(&lines).and_then(|orders| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Error::new(ErrorKind::Unexpected, error.to_string()))?;
        runtime.block_on(play(backend, orders, &lines))
    });
    Some(match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&Said::failed(&error));
            ExitCode::FAILURE
        }
    })
}

async fn play(backend: Backend, orders: Orders, lines: &Receiver<String>) -> Result<()> {
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
            wait_for_a_line(lines);
            let runner = Runner::new(registry, options, set)
                .lock_key(key)
                .observer(SoleHolder::new(holder_file));
            say(&runner.up().await.into());
        }
        Role::Hold => {
            let session = registry.connect(&options).await?;
            let Attempt::Locked(locked) = session.try_lock(&key).await? else {
                return Err(Error::new(
                    ErrorKind::LockTimeout,
                    "somebody else holds the lock",
                ));
            };
            say(&Said::Holding);
            wait_for_a_line(lines);
            locked.release().await?.close().await?;
            say(&Said::Released);
        }
    }
    Ok(())
}

/// Hands out the lines of standard input. At its end the parent is gone, and with it the reason to be: the process ends, whatever it is
/// doing.
fn listen() -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(|line| line.ok()) {
            let _ = sender.send(line);
        }
        std::process::exit(3);
    });
    lines
}

fn orders(lines: &Receiver<String>) -> Result<Orders> {
    let line = lines.recv().unwrap_or_default();
    serde_json::from_str(&line).map_err(|error| {
        Error::new(ErrorKind::InvalidConfig, "a child got no orders").with_source(error)
    })
}

/// Blocks the main thread: the sessions that a child has meanwhile are idle, as they are to be.
fn wait_for_a_line(lines: &Receiver<String>) {
    let _ = lines.recv();
}

fn say(what: &Said) {
    let mut out = std::io::stdout().lock();
    // A parent that no longer listens has ended the test.
    let _ = serde_json::to_writer(&mut out, what).map_err(std::io::Error::from);
    let _ = writeln!(out).and_then(|()| out.flush());
}
