//! The conformance suite on a real SQL Server, or on a peer that speaks its protocol.

mod fixture;
mod witness;

use std::process::ExitCode;

use lockage_sqlserver::BACKEND;
use lockage_testkit::{conformance, serve_child};

fn main() -> ExitCode {
    serve_child(BACKEND)
        .or_else(fixture::one_by_one)
        .unwrap_or_else(|| conformance(BACKEND, fixture::SqlServer::new(false)))
}
