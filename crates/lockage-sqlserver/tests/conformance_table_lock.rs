//! The conformance suite with the lock in a table, as for an engine without application locks.

mod fixture;
mod witness;

use std::process::ExitCode;
use std::time::Duration;

use lockage_sqlserver::BACKEND;
use lockage_sqlserver::lockage_core::{Backend, Capabilities, ConnectOptions, LockStrategy};
use lockage_testkit::{Suite, run_child_if_requested};

/// The same backend, asked for the other lock.
const WITH_TABLE: Backend = Backend::new(
    "lockage-sqlserver",
    &["sqlserver", "mssql"],
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
    run_child_if_requested(WITH_TABLE)
        .or_else(fixture::one_by_one)
        .unwrap_or_else(|| {
            // A server elsewhere may be slow.
            let suite = Suite::new(WITH_TABLE, fixture::SqlServer::new(true));
            suite.timeout(Duration::from_secs(180)).main()
        })
}
