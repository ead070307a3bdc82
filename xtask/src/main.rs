//! The project's own commands: `cargo xtask <command>`.

mod bench;
mod cells;
mod command;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lockage_test_matrix::{self as matrix, Matrix};

/// The project's own commands
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every test on every engine that can be had
    TestMatrix(Box<matrix::Arguments>),
    /// Build images of the engines from Debian packages
    Images(matrix::Images),
    /// Measure the program on this machine
    Bench,
    /// Hold the house rules
    Tidy,
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let told = |failure: lockage_testkit::TestError| failure.to_string();
    let done = match Arguments::parse().command {
        Task::TestMatrix(arguments) => {
            Matrix::new(cells::CELLS, ("lockage-tests", "lockage-under-test"))
                .in_folder(root)
                .with_workspace()
                .run(&arguments)
                .map_err(told)
        }
        Task::Images(asked) => {
            matrix::images(cells::CELLS, &root.join("tests/containers"), &asked).map_err(told)
        }
        Task::Bench => bench::run(),
        Task::Tidy => tidy::run(),
    };
    done.unwrap_or_else(|error| {
        eprintln!("xtask: {error}");
        ExitCode::FAILURE
    })
}
