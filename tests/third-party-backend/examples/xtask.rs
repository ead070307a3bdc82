//! `cargo xtask`: the suite wherever its engine can be had, with a report.

use std::process::ExitCode;

use lockage_testkit::matrix::{Cell, Matrix, Place, Suite};

const CELLS: &[Cell] = &[Cell {
    engine: "firebird",
    version: "3.0",
    lock: "row",
    place: Place::Programs {
        paths: &["/usr/sbin/firebird", "/usr/bin/isql-fb"],
        packages: &["firebird3.0-server", "firebird3.0-utils"],
    },
    suites: &[Suite::new("conformance", "lockage-firebird", "conformance")],
}];

fn main() -> ExitCode {
    Matrix::new(CELLS, ("lockage-firebird", "lockage-firebird")).main()
}
