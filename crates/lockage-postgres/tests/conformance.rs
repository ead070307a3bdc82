//! The conformance suite on PostgreSQL, with advisory locks.

mod fixture;
mod sql_client;

use std::process::ExitCode;

use lockage_postgres::BACKEND;
use lockage_testkit::conformance;

fn main() -> ExitCode {
    conformance(BACKEND, fixture::Postgres::new(false))
}
