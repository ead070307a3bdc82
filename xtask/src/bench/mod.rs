//! `cargo xtask bench`: measures the speed and the memory of the program on this machine. The results are printed and never asserted.

mod process;
mod row;
mod scenario;

use std::process::{Command, ExitCode};

use cargo_metadata::MetadataCommand;
use lockage_test_matrix::engine::PostgresSource;

use row::BenchRow;

use crate::command::succeeds;

/// Builds the program in release mode and measures it on every available engine.
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
    let mut rows = Vec::new();
    scenario::all(
        &program,
        "sqlite",
        &scenario::sqlite(folder.path()),
        &mut rows,
    )?;
    scenario::memory(&program, &scenario::sqlite(folder.path()), &mut rows)?;
    let path = std::env::var("PATH").unwrap_or_default();
    match PostgresSource::find(std::env::var("LOCKAGE_TEST_POSTGRES_URL").ok(), &path) {
        Ok(postgres) => {
            let url = postgres.url().map_err(|error| error.to_string())?;
            scenario::all(&program, "postgres", &scenario::postgres(&url), &mut rows)?;
        }
        Err(reason) => println!("postgres skipped: {reason}"),
    }
    println!();
    for BenchRow {
        name,
        value,
        target,
    } in rows
    {
        println!("{name:<58} {value:>12}   {target}");
    }
    Ok(ExitCode::SUCCESS)
}
