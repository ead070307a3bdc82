//! The command line of Lockage. The program is three lines, so that whoever has a backend of their own ships a program with that
//! backend in it:
//!
//! ```no_run
//! // use acme_lockage as _;
//!
//! fn main() -> std::process::ExitCode {
//!     lockage_cli::main()
//! }
//! ```
//!
//! What the commands, the exit codes and the JSON object mean is told by `lockage --help`.

mod args;
mod command;
mod config;
mod exit;
mod output;
mod signals;
mod work;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use args::Cli;
use config::Environment;
use exit::Exit;
use output::{Failure, Output};

/// Runs the command that the process was called with, prints its result, and says what to exit with.
///
/// Every backend that is linked into the program can be used.
pub fn main() -> ExitCode {
    run(std::env::args_os().collect(), Environment::of_process()).into()
}

fn run(args: Vec<OsString>, environment: Environment) -> Exit {
    let matches = match Cli::command().try_get_matches_from(&args) {
        Ok(matches) => matches,
        Err(error) => return output::usage::report(&error, &args, &environment),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return output::usage::report(&error, &args, &environment),
    };
    let output = Output::new(&cli.global, &environment);
    match command::run(cli, &environment, &output) {
        Ok(answer) => output.answer(&*answer),
        Err(failure) => output.failure(&failure),
    }
}

/// How a command ends: with what it has to say, or with what went wrong.
type Ending = Result<Box<dyn output::Answer>, Box<Failure>>;
