//! The cell `workspace`: runs the tests that no other cell names, and the documentation examples.

use std::time::Instant;

use lockage_testkit::TestError;

use crate::Matrix;
use crate::build::{Kind, Program, cargo};
use crate::cell_run::{CellRunner, describe, print_output};
use crate::outcome::{Outcome, Verdict};
use crate::progress::Progress;
use crate::suite_run;

/// The name of the cell.
pub(crate) const WORKSPACE: &str = "workspace";

impl CellRunner<'_> {
    /// Runs all tests that no cell names, and the documentation examples.
    pub(crate) fn workspace(&self, matrix: &Matrix) -> Result<Outcome, TestError> {
        let started_at = Instant::now();
        let progress = Progress::start(WORKSPACE);
        let mut outcome = Outcome {
            engine: WORKSPACE.to_owned(),
            version: String::new(),
            lock: String::new(),
            verdict: Verdict::Passed,
            source: "needs no engine, or finds one itself".to_owned(),
            seconds: 0.0,
            suites: Vec::new(),
            races: Vec::new(),
        };
        let tests = self
            .programs
            .iter()
            .filter(|program| program.kind != Kind::Program && !is_in_cell(matrix, program));
        for program in tests {
            let name = format!("{} {}", program.package, program.target);
            progress.stage(&name);
            let result = suite_run::run(
                &name,
                program,
                &self.pattern(),
                &[],
                &mut self.log_file()?,
                &mut |suite| progress.case(suite),
            )?;
            print_output(&result);
            outcome.suites.push(result);
        }
        progress.stage("documentation examples");
        let mut command = cargo();
        command
            .args(["test", "--doc", "--workspace"])
            .current_dir(&matrix.root);
        command.arg("--").args(self.pattern());
        let result = suite_run::run_reporting_command(
            "documentation",
            &mut command,
            &mut self.log_file()?,
            &mut |suite| progress.case(suite),
        )?;
        print_output(&result);
        outcome.suites.push(result);
        self.finish(&mut outcome, started_at);
        progress.finish(&describe(&outcome));
        Ok(outcome)
    }
}

/// Returns whether a cell names a test program.
fn is_in_cell(matrix: &Matrix, program: &Program) -> bool {
    let target = match program.kind {
        Kind::Unit => "",
        _ => &program.target,
    };
    let mut suites = matrix.cells.iter().flat_map(|cell| cell.suites);
    suites.any(|suite| suite.package == program.package && suite.target == target)
}
