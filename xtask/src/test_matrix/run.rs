//! The commands of the matrix.

use std::process::Command;

use super::Arguments;
use super::engine::{Cell, Engine};
use super::summary::Outcome;
use crate::command::succeeds;

/// The crate of the cross-engine suites.
const SUITES: &str = "lockage-tests";

/// Everything that needs no engine.
pub(super) fn workspace(arguments: &Arguments) -> Result<Outcome, String> {
    let mut command = cargo_test();
    command.arg("--workspace").args(["--exclude", SUITES]);
    for engine in Engine::all() {
        command.args(["--exclude", engine.package()]);
    }
    outcome(&mut command, "needs no engine".into(), arguments)
}

/// The tests of a backend, its conformance suite among them, and the races of its engine.
pub(super) fn engine(cell: &Cell, arguments: &Arguments) -> Result<Outcome, String> {
    let mut backend = cargo_test();
    backend
        .args(["--package", cell.engine.package()])
        .envs(cell.environment()?);
    let first = outcome(&mut backend, cell.source(), arguments)?;
    if matches!(first, Outcome::Failed(_)) {
        return Ok(first);
    }
    let mut races = cargo_test();
    races.args(["--package", SUITES, "--", cell.engine.name()]);
    races
        .envs(cell.environment()?)
        .env("LOCKAGE_TEST_REPLICAS", arguments.replicas.to_string())
        .env("LOCKAGE_TEST_ROUNDS", arguments.rounds.to_string());
    verdict(&mut races, cell.source())
}

fn cargo_test() -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.arg("test");
    command
}

fn outcome(
    command: &mut Command,
    source: String,
    arguments: &Arguments,
) -> Result<Outcome, String> {
    if let Some(case) = &arguments.case {
        command.arg("--").arg(case);
    }
    verdict(command, source)
}

fn verdict(command: &mut Command, source: String) -> Result<Outcome, String> {
    Ok(if succeeds(command)? {
        Outcome::Passed(source)
    } else {
        Outcome::Failed(format!("tests failed; {source}"))
    })
}
