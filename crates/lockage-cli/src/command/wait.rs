//! `wait`: waits until the database is current.

use super::check::CheckOutput;
use super::target::Target;
use crate::args::WaitArgs;
use crate::config::Settings;
use crate::output::Output;
use crate::output::command_output::CommandResult;

pub(super) fn run(args: &WaitArgs, settings: &Settings, output: &Output) -> CommandResult {
    let target = Target::new(settings, output)?;
    let options = settings.plan_options(args.to.clone(), None);
    let timeout = args.timeout.0;
    let report = target.run(options, async |runner| {
        runner.wait_until_current(timeout).await
    })?;
    output.trace.report(&report);
    Ok(Box::new(CheckOutput { report }))
}
