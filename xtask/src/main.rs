//! The project's own commands: `cargo xtask <command>`.

mod bench;
mod command;
mod test_matrix;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    TestMatrix(test_matrix::Arguments),
    /// Measure the program on this machine
    Bench,
    /// Hold the house rules
    Tidy,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Task::TestMatrix(arguments) => test_matrix::run(&arguments),
        Task::Bench => bench::run(),
        Task::Tidy => tidy::run(),
    };
    done.unwrap_or_else(|error| {
        eprintln!("xtask: {error}");
        ExitCode::FAILURE
    })
}
