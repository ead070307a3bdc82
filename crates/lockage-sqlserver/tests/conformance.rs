//! The conformance suite on SQL Server, or on a server that speaks its protocol.

mod direct_client;
mod fixture;

use std::process::ExitCode;
use std::time::Duration;

use lockage_sqlserver::BACKEND;
use lockage_testkit::{Suite, run_child_if_requested};

fn main() -> ExitCode {
    run_child_if_requested(BACKEND)
        .or_else(fixture::serialize_tests)
        .unwrap_or_else(|| {
            // A remote server may be slow.
            let suite = Suite::new(BACKEND, fixture::SqlServer::new(false));
            suite.timeout(Duration::from_secs(180)).main()
        })
}
