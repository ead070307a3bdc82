//! Tests of the backend against a fake server. They need no SQL Server.

mod cancellation;
mod connect;
mod connection_loss;
mod encryption;
mod event_recorder;
mod fake_server;
mod locking;
mod scripts;
#[path = "../../src/transport/tds_framed.rs"]
mod tds_framed;

use std::time::Duration;

use lockage_core::{ConnectOptions, LockWait, MigrationSet, Registry, Runner, Session};
use lockage_sqlserver::{BACKEND, lockage_core};

/// Creates a runner of migrations with these names and texts.
fn runner(options: ConnectOptions, files: &[(&str, &str)]) -> Runner {
    let files = files
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let set = MigrationSet::from_texts(files).unwrap();
    let registry = Registry::default().with(BACKEND).unwrap();
    Runner::new(registry, options, set).wait(LockWait::For(Duration::from_secs(60)))
}

async fn session(options: &ConnectOptions) -> Box<dyn Session> {
    BACKEND.connect(options).await.unwrap()
}
