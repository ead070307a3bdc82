//! The conformance suite on a real MySQL or MariaDB.

mod direct_client;
mod fixture;
mod test_server;

use std::process::ExitCode;

use lockage_mysql::BACKEND;
use lockage_testkit::conformance;

fn main() -> ExitCode {
    conformance(BACKEND, fixture::MysqlFixture::new(false))
}
