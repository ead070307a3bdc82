//! The commands of this repository: `cargo xtask <command>`.

mod bench;
mod cells;
mod command;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lockage_test_matrix::{self as matrix, Matrix};

/// Test, measure and check this repository
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run all tests on every available engine
    TestMatrix(Box<matrix::Arguments>),
    /// Build images of the engines from Debian packages
    Images(matrix::Images),
    /// Measure the program on this machine
    Bench,
    /// Check the repository rules
    Tidy(tidy::Arguments),
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let result = match Arguments::parse().command {
        Task::TestMatrix(arguments) => {
            Matrix::new(cells::CELLS, ("lockage-tests", "lockage-under-test"))
                .in_folder(root)
                .with_workspace()
                .run(&arguments)
                .map_err(|error| error.to_string())
        }
        Task::Images(arguments) => {
            matrix::images(cells::CELLS, &root.join("tests/containers"), &arguments)
                .map_err(|error| error.to_string())
        }
        Task::Bench => bench::run(),
        Task::Tidy(arguments) => tidy::run(&arguments),
    };
    result.unwrap_or_else(|error| {
        eprintln!("xtask: {error}");
        ExitCode::FAILURE
    })
}
