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
mod matrix;
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

pub use arguments::Arguments;
pub use cell::{
    Binaries, Cell, DataFolder, LocalImage, Provisioning, PublishedImage, RunCondition, Server,
    Suite,
};
pub use images::{Images, images};
pub use matrix::Matrix;
