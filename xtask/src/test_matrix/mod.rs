//! `cargo xtask test-matrix`: every test, on every engine that can be had.

mod engine;
mod run;
mod summary;

use std::process::ExitCode;

use engine::{Cell, Engine};
use summary::Outcome;

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run only these engines, and none of the tests that need no engine
    #[arg(long, value_delimiter = ',', value_name = "ENGINE")]
    engine: Vec<Engine>,
    /// Leave these engines out; they are shown as skipped
    #[arg(long, value_delimiter = ',', value_name = "ENGINE")]
    without: Vec<Engine>,
    /// Fail when one of these engines cannot be had
    #[arg(long, value_delimiter = ',', value_name = "ENGINE|all")]
    require: Vec<Required>,
    /// Run only the cases whose name holds this text
    #[arg(long, value_name = "PATTERN")]
    case: Option<String>,
    /// How many processes a race starts
    #[arg(long, default_value_t = 16)]
    replicas: usize,
    /// How often a race is run
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// List the engines and where each comes from, and run nothing
    #[arg(long)]
    list: bool,
}

/// An engine that must be there, or all of them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Required {
    All,
    One(Engine),
}

impl std::str::FromStr for Required {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            name => clap::ValueEnum::from_str(name, true).map(Self::One),
        }
    }
}

/// Runs the matrix and prints its summary.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, String> {
    let asked = |engine: &Engine| arguments.engine.is_empty() || arguments.engine.contains(engine);
    let engines: Vec<Engine> = Engine::all().into_iter().filter(asked).collect();
    let mut rows = Vec::new();
    if arguments.engine.is_empty() && !arguments.list {
        rows.push(("workspace".to_owned(), run::workspace(arguments)?));
    }
    for engine in engines {
        // Started just before its tests and stopped right behind them.
        let cell = match arguments.without.contains(&engine) {
            true => Err("left out by --without".to_owned()),
            false => Cell::find(engine),
        };
        let required = arguments
            .require
            .iter()
            .any(|required| [Required::All, Required::One(engine)].contains(required));
        let outcome = match &cell {
            Err(reason) if required => {
                Outcome::Failed(format!("required and not to be had: {reason}"))
            }
            Err(reason) => Outcome::Skipped(reason.clone()),
            Ok(cell) if arguments.list => Outcome::Found(cell.source()),
            Ok(cell) => run::engine(cell, arguments)?,
        };
        rows.push((engine.to_string(), outcome));
    }
    summary::print(&rows);
    let failed = rows
        .iter()
        .any(|(_, outcome)| matches!(outcome, Outcome::Failed(_)));
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
