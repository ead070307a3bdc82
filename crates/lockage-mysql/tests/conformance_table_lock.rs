//! The conformance suite with the lock in a table, which a cluster uses.

mod direct_client;
mod fixture;
mod test_server;

use std::process::ExitCode;

use lockage_mysql::BACKEND;
use lockage_mysql::lockage_core::{Backend, Capabilities, ConnectOptions, LockStrategy};
use lockage_testkit::conformance;

/// The backend under test with another lock strategy.
const WITH_TABLE_LOCK: Backend = Backend::new(
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
    |migration, on_statement| BACKEND.check_script(migration, on_statement),
);

fn main() -> ExitCode {
    conformance(WITH_TABLE_LOCK, fixture::MysqlFixture::new(true))
}
