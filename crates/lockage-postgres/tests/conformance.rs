//! The conformance suite on a real PostgreSQL.

mod fixture;

use std::process::ExitCode;

use lockage_postgres::BACKEND;
use lockage_testkit::conformance;

fn main() -> ExitCode {
    conformance(BACKEND, fixture::Postgres::new(false))
}
