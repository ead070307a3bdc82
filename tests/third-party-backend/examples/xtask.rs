//! `cargo xtask`: runs the conformance suite with the available engine and writes a report.

use std::process::ExitCode;

use lockage_test_matrix::{Cell, Matrix, Provisioning, Suite};

const CELLS: &[Cell] = &[Cell {
    engine: "firebird",
    version: "3.0",
    lock: "row",
    provisioning: Provisioning::Programs {
        paths: &["/usr/sbin/firebird", "/usr/bin/isql-fb"],
        packages: &["firebird3.0-server", "firebird3.0-utils"],
    },
    suites: &[Suite::new("conformance", "lockage-firebird", "conformance")],
}];

fn main() -> ExitCode {
    Matrix::new(CELLS, ("lockage-firebird", "lockage-firebird")).main()
}
