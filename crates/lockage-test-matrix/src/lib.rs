//! Servers for tests, and a command line that runs test suites on every available engine.
//!
//! A third-party backend uses it through a small program of its own, for example `cargo xtask`:
//!
//! ```no_run
//! use std::process::ExitCode;
//! use lockage_test_matrix::{Cell, Matrix, Provisioning, Suite};
//!
//! const CELLS: &[Cell] = &[Cell {
//!     engine: "acme", version: "1", lock: "table", provisioning: Provisioning::Embedded,
//!     suites: &[Suite::new("conformance", "lockage-acme", "conformance")],
//! }];
//!
//! fn main() -> ExitCode {
//!     Matrix::new(CELLS, ("lockage-acme", "lockage-acme")).main()
//! }
//! ```
//!
//! A server comes from the first available source: a URL in the environment, the published image of the engine, a local image, or
//! programs on this machine. If no source is available, the cell is SKIPPED with the reason and the way to install the engine.
//! `--require` turns a skipped cell into a failure.
//!
//! Containers listen on the loopback interface only. The program under test queries a container until it is ready. Containers are
//! removed on success, failure, panic and Ctrl-C. The next run removes the containers of a killed run.
//!
//! [`engine`] starts single servers for tests that do not use the matrix.

#![cfg(unix)]

mod address;
mod arguments;
mod build;
mod cell;
mod cell_run;
mod command;
mod docker;
pub mod engine;
mod environment;
mod images;
mod junit;
mod outcome;
mod pgbouncer;
mod plan;
mod probe;
mod process_identity;
mod progress;
mod report;
mod resolve;
mod run;
mod suite_run;
mod summary;
mod workspace_run;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use lockage_testkit::TestError;

pub use arguments::Arguments;
pub use cell::{
    Binaries, Cell, DataFolder, LocalImage, Provisioning, PublishedImage, RunCondition, Server,
    Suite,
};
pub use images::{Images, images};

/// The cells, and the program under test.
#[derive(Debug, Clone)]
pub struct Matrix {
    cells: &'static [Cell],
    program: (&'static str, &'static str),
    root: PathBuf,
    with_workspace: bool,
}

impl Matrix {
    /// Creates a matrix of `cells`. `program` is the package and the name of the command-line program that links the backend. It is used
    /// to test whether a server is ready. Cargo runs in the current directory.
    pub fn new(cells: &'static [Cell], program: (&'static str, &'static str)) -> Self {
        Self {
            cells,
            program,
            root: PathBuf::from("."),
            with_workspace: false,
        }
    }

    /// Sets the folder in which Cargo runs.
    #[must_use]
    pub fn in_folder(mut self, root: PathBuf) -> Self {
        self.root = root;
        self
    }

    /// Adds a cell `workspace` with the tests of all packages that no other cell names.
    #[must_use]
    pub fn with_workspace(mut self) -> Self {
        self.with_workspace = true;
        self
    }

    /// Runs the matrix as the `main` of a program: reads the command line and prints the results to standard output.
    pub fn main(&self) -> ExitCode {
        self.run(&Arguments::parse()).unwrap_or_else(|error| {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "test-matrix: {error}");
            ExitCode::FAILURE
        })
    }

    /// Runs the matrix with `arguments`. Returns [`ExitCode::FAILURE`] if a case failed or a required engine is unavailable.
    ///
    /// # Errors
    /// Fails if an argument names no cell, if the tests do not build, or if a file cannot be written.
    pub fn run(&self, arguments: &Arguments) -> Result<ExitCode, TestError> {
        run::run(self, arguments)
    }
}
