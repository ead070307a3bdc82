//! The command line of Lockage as a library. The program itself has three lines, so a third party can build one with a backend of its own:
//!
//! ```no_run
//! // use acme_lockage as _;
//!
//! fn main() -> std::process::ExitCode {
//!     lockage_cli::main()
//! }
//! ```
//!
//! `lockage --help` documents commands, settings and exit codes.

mod args;
mod command;
mod config;
mod exit;
mod output;
mod runtime;
mod signals;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use args::Cli;
use config::Environment;
use exit::Exit;
use output::Output;

/// Runs the command of the process's arguments, prints its result and returns the exit code.
///
/// Every backend that is linked into the program is available.
pub fn main() -> ExitCode {
    run(std::env::args_os().collect(), Environment::from_process()).into()
}

fn run(args: Vec<OsString>, environment: Environment) -> Exit {
    let parsed = Cli::command()
        .try_get_matches_from(&args)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return output::usage::report(&error, &args, &environment),
    };
    let output = Output::new(&cli.global, &environment);
    match command::run(cli, &environment, &output) {
        Ok(result) => output.print_output(&*result),
        Err(failure) => output.print_failure(&failure),
    }
}
