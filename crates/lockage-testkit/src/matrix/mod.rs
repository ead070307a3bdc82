//! The matrix: the suites of a backend, on every engine that can be had, from one command line.
//!
//! A backend of your own gets it with a program of a few lines, `cargo xtask` say:
//!
//! ```no_run
//! use std::process::ExitCode;
//! use lockage_testkit::matrix::{Cell, Matrix, Place, Suite};
//!
//! const CELLS: &[Cell] = &[Cell {
//!     engine: "acme", version: "1", lock: "table", place: Place::Embedded,
//!     suites: &[Suite::new("conformance", "lockage-acme", "conformance")],
//! }];
//!
//! fn main() -> ExitCode {
//!     Matrix::new(CELLS, ("lockage-acme", "lockage-acme")).main()
//! }
//! ```
//!
//! Servers come from the first of: a URL in the environment; the image that the engine's makers publish; an image of our own; programs on
//! this machine. Where there is none the cell is SKIPPED, with the reason and how to get it, and `--require` makes that a failure.
//! Containers listen on the loopback interface only, are waited for by a query of the program under test, and are removed on success,
//! failure, panic and Ctrl-C; those of a run that was killed are removed by the next.

mod arguments;
mod build;
mod cell;
mod command;
mod docker;
mod images;
mod junit;
mod origin;
mod outcome;
mod plan;
mod probe;
mod progress;
mod report;
mod run;
mod stand;
mod suite_run;
mod summary;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

pub use arguments::Arguments;
pub use cell::{Binaries, Cell, Data, Official, Own, Place, Server, Suite, When};
pub use images::{Images, images};

use crate::Failure;

/// The cells, and the program under test.
#[derive(Debug, Clone)]
pub struct Matrix {
    cells: &'static [Cell],
    program: (&'static str, &'static str),
    root: PathBuf,
    others: bool,
}

impl Matrix {
    /// A matrix of these cells. `program` is the package and the name of the command line that has the backend linked: it asks each server
    /// whether it is up. Cargo is called in the folder in which this program runs.
    pub fn new(cells: &'static [Cell], program: (&'static str, &'static str)) -> Self {
        Self {
            cells,
            program,
            root: PathBuf::from("."),
            others: false,
        }
    }

    /// Has Cargo called in another folder.
    #[must_use]
    pub fn in_folder(mut self, root: PathBuf) -> Self {
        self.root = root;
        self
    }

    /// Also runs the tests of all packages that no cell names, as a cell `workspace`.
    #[must_use]
    pub fn with_workspace(mut self) -> Self {
        self.others = true;
        self
    }

    /// The `main` of a program: reads its command line, runs, and says on standard output how it went.
    pub fn main(&self) -> ExitCode {
        self.run(&Arguments::parse()).unwrap_or_else(|failure| {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "test-matrix: {failure}");
            ExitCode::FAILURE
        })
    }

    /// Runs what the arguments ask for; [`ExitCode::FAILURE`] when a case failed, or a required engine cannot be had.
    ///
    /// # Errors
    /// When a name among the arguments is no cell's, the tests do not build, or a file cannot be written.
    pub fn run(&self, arguments: &Arguments) -> Result<ExitCode, Failure> {
        run::run(self, arguments)
    }
}
