//! The conformance suite with the lock in a table, which engines without application locks use.

mod direct_client;
mod fixture;

use std::process::ExitCode;
use std::time::Duration;

use lockage_sqlserver::BACKEND;
use lockage_sqlserver::lockage_core::{Backend, Capabilities, ConnectOptions, LockStrategy};
use lockage_testkit::{Suite, run_child_if_requested};

/// The backend with the lock in a table as the default.
const TABLE_LOCK_BACKEND: Backend = Backend::new(
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
    |migration, on_statement| BACKEND.check_script(migration, on_statement),
);

fn main() -> ExitCode {
    run_child_if_requested(TABLE_LOCK_BACKEND)
        .or_else(fixture::serialize_tests)
        .unwrap_or_else(|| {
            // A remote server may be slow.
            let suite = Suite::new(TABLE_LOCK_BACKEND, fixture::SqlServer::new(true));
            suite.timeout(Duration::from_secs(180)).main()
        })
}
