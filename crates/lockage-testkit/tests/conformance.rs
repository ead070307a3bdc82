//! The reference backend passes every case. It runs the suite like any other backend.

mod reference;

use std::process::ExitCode;

fn main() -> ExitCode {
    match reference::ReferenceFixture::new(None) {
        Ok(fixture) => lockage_testkit::conformance(reference::BACKEND, fixture),
        Err(_) => ExitCode::FAILURE,
    }
}
