//! The reference backend passes every case, run in the way in which any backend runs them.

mod reference;

use std::process::ExitCode;

fn main() -> ExitCode {
    match reference::ReferenceFixture::new(None) {
        Ok(fixture) => lockage_testkit::conformance(reference::BACKEND, fixture),
        Err(_) => ExitCode::FAILURE,
    }
}
