//! The conformance suite with the lock in a table, as behind a pooler that shares sessions.

mod fixture;

use std::process::ExitCode;

use lockage_core::{Backend, Capabilities, ConnectOptions, LockStrategy};
use lockage_postgres::BACKEND;
use lockage_testkit::conformance;

/// The same backend, asked for the other lock.
const WITH_TABLE: Backend = Backend::new(
    "lockage-postgres",
    &["postgres", "postgresql"],
    Capabilities::new(true, "a row in a table"),
    |options| {
        Box::pin(async move {
            let mut options: ConnectOptions = options.clone();
            options.lock_strategy = LockStrategy::Table;
            BACKEND.connect(&options).await
        })
    },
    |migration, each| BACKEND.inspect(migration, each),
);

fn main() -> ExitCode {
    conformance(WITH_TABLE, fixture::Postgres::new(true))
}
