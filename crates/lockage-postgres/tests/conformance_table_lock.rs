//! The conformance suite with the lock in a table, which serves behind a pooler in transaction mode.

mod fixture;
mod sql_client;

use std::process::ExitCode;

use lockage_core::{Backend, Capabilities, ConnectOptions, LockStrategy};
use lockage_postgres::BACKEND;
use lockage_testkit::conformance;

/// The backend under test with another lock strategy.
const WITH_TABLE_LOCK: Backend = Backend::new(
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
    |migration, on_statement| BACKEND.check_script(migration, on_statement),
);

fn main() -> ExitCode {
    conformance(WITH_TABLE_LOCK, fixture::Postgres::new(true))
}
