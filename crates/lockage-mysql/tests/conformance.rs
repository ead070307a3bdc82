//! The conformance suite on a real MySQL or MariaDB.

mod fixture;
mod origin;
mod witness;

use std::process::ExitCode;

use lockage_mysql::BACKEND;
use lockage_testkit::conformance;

fn main() -> ExitCode {
    conformance(BACKEND, fixture::Mysql::new(false))
}
