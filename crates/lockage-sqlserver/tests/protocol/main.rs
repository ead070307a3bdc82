//! The backend against a server of ours, which answers as the tests say: they run everywhere.

mod connecting;
mod encryption;
mod locking;
mod losing;
mod scripts;
mod stopping;
mod tds;
mod told;
#[path = "../../src/transport/wrapped.rs"]
mod wrapped;

use std::time::Duration;

use lockage_core::{ConnectOptions, LockWait, MigrationSet, Registry, Runner, Session};
use lockage_sqlserver::{BACKEND, lockage_core};

/// A run of one file, or of some.
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
