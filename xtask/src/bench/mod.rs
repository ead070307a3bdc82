//! `cargo xtask bench`: how fast and how small, on this machine. Figures are printed, never asserted.

mod process;
mod scenario;

use std::process::{Command, ExitCode};

use cargo_metadata::MetadataCommand;
use lockage_test_matrix::engine::PostgresSource;

use crate::command::succeeds;

/// A figure, and what it should be on an idle machine.
struct Figure {
    name: String,
    value: String,
    aim: &'static str,
}

/// Builds the program in release mode and measures it on every engine that can be had.
pub(crate) fn run() -> Result<ExitCode, String> {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--release", "--package", "lockage-cli"]);
    if !succeeds(&mut build)? {
        return Ok(ExitCode::FAILURE);
    }
    let metadata = MetadataCommand::new()
        .no_deps()
        .exec()
        .map_err(|error| error.to_string())?;
    let program = metadata
        .target_directory
        .join("release/lockage")
        .into_std_path_buf();
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut figures = Vec::new();
    scenario::all(
        &program,
        "sqlite",
        &scenario::sqlite(folder.path()),
        &mut figures,
    )?;
    scenario::memory(&program, &scenario::sqlite(folder.path()), &mut figures)?;
    let path = std::env::var("PATH").unwrap_or_default();
    match PostgresSource::find(std::env::var("LOCKAGE_TEST_POSTGRES_URL").ok(), &path) {
        Ok(postgres) => {
            let url = postgres.url().map_err(|error| error.to_string())?;
            scenario::all(
                &program,
                "postgres",
                &scenario::postgres(&url),
                &mut figures,
            )?;
        }
        Err(reason) => println!("postgres left out: {reason}"),
    }
    println!();
    for Figure { name, value, aim } in figures {
        println!("{name:<58} {value:>12}   {aim}");
    }
    Ok(ExitCode::SUCCESS)
}
