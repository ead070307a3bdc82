use super::Answered;
use super::check::Current;
use super::target::Target;
use crate::args::WaitArgs;
use crate::config::Settings;
use crate::output::Output;

pub(super) fn run(args: &WaitArgs, settings: &Settings, output: &Output) -> Answered {
    let target = Target::new(settings, output)?;
    let options = settings.plan_options(args.to.clone(), None);
    let timeout = args.timeout.0;
    let report = target.run(options, async |runner| {
        runner.wait_until_current(timeout).await
    })?;
    output.trace.report(&report);
    Ok(Box::new(Current { report }))
}
