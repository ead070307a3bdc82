//! One file per command.

mod backends;
mod baseline;
mod check;
mod completions;
mod down;
mod entry;
mod holder;
mod lock_break;
mod lock_status;
#[cfg(feature = "message-store")]
mod message_store;
#[cfg(feature = "message-store")]
mod message_store_output;
mod new;
mod plan;
mod plan_step;
mod repair;
mod status;
mod target;
mod up;
mod validate;
mod wait;

use lockage::RunError;

use crate::args::{Cli, Command, LockCommand};
use crate::config::{Environment, Settings, SettingsLayer, resolve};
use crate::output::Output;
use crate::output::command_output::{CommandOutput, CommandResult};
use crate::output::failure::CommandFailure;
use crate::output::run_kind::RunKind;

/// Runs a command.
pub(crate) fn run(
    cli: Cli,
    environment: &Environment,
    output: &Output,
) -> Result<Box<dyn CommandOutput>, Box<CommandFailure>> {
    match &cli.command {
        // These need no settings, so they work with a broken configuration file.
        Command::Backends => return backends::run().map_err(|error| failure(error, None)),
        Command::Completions(args) => return Ok(completions::run(args)),
        _ => {}
    }
    let mut flags = cli.global.settings();
    add_settings(&cli.command, &mut flags);
    let settings = resolve(
        flags,
        cli.global.config.as_deref(),
        cli.global.env.as_deref(),
        environment,
    )
    .map_err(|error| failure(error.into(), None))?;
    for warning in &settings.warnings {
        output.print_message(&format!("warning: {warning}"));
    }
    run_with_settings(&cli.command, &settings, output).map_err(|error| {
        let mut failure = failure(error, Some(&settings));
        failure.kind = run_kind(&cli.command);
        failure
    })
}

/// Adds the settings among a command's flags.
fn add_settings(command: &Command, flags: &mut SettingsLayer) {
    match command {
        Command::Up(args) => args.settings(flags),
        Command::Status(args) => args.settings(flags),
        Command::Plan(args) => args.read.settings(flags),
        Command::Check(args) => args.read.settings(flags),
        Command::Wait(args) => args.read.settings(flags),
        Command::Down(args) => args.settings(flags),
        Command::Validate(args) => args.database.settings(flags),
        Command::Repair(args) => args.settings(flags),
        Command::Baseline(args) => args.settings(flags),
        #[cfg(feature = "message-store")]
        Command::MessageStore(command) => command.settings(flags),
        Command::Lock(LockCommand::Status(args)) => args.settings(flags),
        Command::Lock(LockCommand::Break(args)) => args.database.settings(flags),
        Command::New(_) | Command::Backends | Command::Completions(_) => {}
    }
}

fn run_with_settings(command: &Command, settings: &Settings, output: &Output) -> CommandResult {
    match command {
        Command::Up(args) => up::run(args, settings, output),
        Command::Status(_) => status::run(settings, output),
        Command::Plan(args) => plan::run(args, settings, output),
        Command::Check(args) => check::run(args, settings, output),
        Command::Wait(args) => wait::run(args, settings, output),
        Command::Down(args) => down::run(args, settings, output),
        Command::Validate(args) => validate::run(args, settings, output),
        Command::Repair(args) => repair::run(args, settings, output),
        Command::Baseline(args) => baseline::run(args, settings, output),
        #[cfg(feature = "message-store")]
        Command::MessageStore(command) => message_store::run(command, settings, output),
        Command::Lock(LockCommand::Status(_)) => lock_status::run(settings, output),
        Command::Lock(LockCommand::Break(args)) => lock_break::run(args, settings, output),
        Command::New(args) => new::run(args, settings),
        Command::Backends => backends::run(),
        Command::Completions(args) => Ok(completions::run(args)),
    }
}

fn run_kind(command: &Command) -> RunKind {
    match command {
        Command::Down(_) => RunKind::Undone,
        Command::Repair(_) => RunKind::Repaired,
        Command::Baseline(_) => RunKind::Baselined,
        _ => RunKind::Applied,
    }
}

fn failure(error: RunError, settings: Option<&Settings>) -> Box<CommandFailure> {
    Box::new(CommandFailure {
        error,
        database: settings.and_then(Settings::redacted_url),
        lock: settings.map(|settings| settings.lock.to_string()),
        kind: RunKind::Applied,
    })
}
