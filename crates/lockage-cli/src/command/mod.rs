//! One file a command.

mod backends;
mod baseline;
mod check;
mod completions;
mod down;
mod holder;
mod lock_break;
mod lock_status;
#[cfg(feature = "message-store")]
mod message_store;
#[cfg(feature = "message-store")]
mod message_store_answer;
mod new;
mod plan;
mod repair;
mod status;
mod target;
mod up;
mod validate;
mod wait;

use std::io::{self, Write};

use lockage::Result;
use serde::Serialize;

use crate::Ending;
use crate::args::{Cli, Command, LockCommand};
use crate::config::{Environment, Settings, resolve};
use crate::output::{Answer, Failure, Output, json::Deed};

type Answered = Result<Box<dyn Answer>>;

/// Runs a command.
pub(crate) fn run(cli: Cli, environment: &Environment, output: &Output) -> Ending {
    let mut flags = cli.global.settings();
    let command = cli.command;
    match &command {
        Command::Up(args) => args.settings(&mut flags),
        Command::Status(args) => args.settings(&mut flags),
        Command::Plan(args) => args.look.settings(&mut flags),
        Command::Check(args) => args.look.settings(&mut flags),
        Command::Wait(args) => args.look.settings(&mut flags),
        Command::Down(args) => args.settings(&mut flags),
        Command::Validate(args) => args.database.settings(&mut flags),
        Command::Repair(args) => args.settings(&mut flags),
        Command::Baseline(args) => args.settings(&mut flags),
        #[cfg(feature = "message-store")]
        Command::MessageStore(command) => command.settings(&mut flags),
        Command::Lock(LockCommand::Status(args)) => args.settings(&mut flags),
        Command::Lock(LockCommand::Break(args)) => args.database.settings(&mut flags),
        // A broken configuration file is no reason to withhold these.
        Command::Backends => {
            return backends::run().map_err(|error| failure(error, None, Deed::Applied));
        }
        Command::Completions(args) => return Ok(completions::run(args)),
        Command::New(_) => {}
    }
    let settings = resolve(
        flags,
        cli.global.config.as_deref(),
        cli.global.env.as_deref(),
        environment,
    )
    .map_err(|error| failure(error, None, Deed::Applied))?;
    for warning in &settings.warnings {
        output.message(&format!("warning: {warning}"));
    }
    let answered = match &command {
        Command::Up(args) => up::run(args, &settings, output),
        Command::Status(_) => status::run(&settings, output),
        Command::Plan(args) => plan::run(args, &settings, output),
        Command::Check(args) => check::run(args, &settings, output),
        Command::Wait(args) => wait::run(args, &settings, output),
        Command::Down(args) => down::run(args, &settings, output),
        Command::Validate(args) => validate::run(args, &settings, output),
        Command::Repair(args) => repair::run(args, &settings, output),
        Command::Baseline(args) => baseline::run(args, &settings, output),
        #[cfg(feature = "message-store")]
        Command::MessageStore(command) => message_store::run(command, &settings, output),
        Command::Lock(LockCommand::Status(_)) => lock_status::run(&settings, output),
        Command::Lock(LockCommand::Break(args)) => lock_break::run(args, &settings, output),
        Command::New(args) => new::run(args, &settings),
        Command::Backends => backends::run(),
        Command::Completions(args) => Ok(completions::run(args)),
    };
    let deed = match command {
        Command::Down(_) => Deed::Undone,
        Command::Repair(_) => Deed::Repaired,
        Command::Baseline(_) => Deed::Baselined,
        _ => Deed::Applied,
    };
    answered.map_err(|error| failure(error, Some(&settings), deed))
}

fn failure(error: lockage::Error, settings: Option<&Settings>, deed: Deed) -> Box<Failure> {
    Box::new(Failure {
        error,
        database: settings.and_then(Settings::shown_url),
        lock: settings.map(|settings| settings.lock.to_string()),
        deed,
    })
}

/// Writes a value as JSON.
fn json_line(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(out, value).map_err(io::Error::from)
}
