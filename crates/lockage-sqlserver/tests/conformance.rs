//! The conformance suite on a real SQL Server, or on a peer that speaks its protocol.

mod fixture;
mod witness;

use std::process::ExitCode;
use std::time::Duration;

use lockage_sqlserver::BACKEND;
use lockage_testkit::{Suite, run_child_if_requested};

fn main() -> ExitCode {
    run_child_if_requested(BACKEND)
        .or_else(fixture::one_by_one)
        .unwrap_or_else(|| {
            // A server elsewhere may be slow.
            let suite = Suite::new(BACKEND, fixture::SqlServer::new(false));
            suite.timeout(Duration::from_secs(180)).main()
        })
}
