//! The conformance suite with the lock in a table, as on a cluster.

mod fixture;
mod origin;
mod witness;

use std::process::ExitCode;

use lockage_mysql::BACKEND;
use lockage_mysql::lockage_core::{Backend, Capabilities, ConnectOptions, LockStrategy};
use lockage_testkit::conformance;

/// The same backend, asked for the other lock.
const WITH_TABLE: Backend = Backend::new(
    "lockage-mysql",
    &["mysql", "mariadb"],
    Capabilities::new(false, "a row in a table"),
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
    conformance(WITH_TABLE, fixture::Mysql::new(true))
}
