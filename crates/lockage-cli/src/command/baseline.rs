//! `baseline`: marks the migrations of an existing database as applied.

use std::io::{self, Write};

use lockage::{Outcome, Report};

use super::target::Target;
use crate::args::BaselineArgs;
use crate::config::Settings;
use crate::output::Output;
use crate::output::command_output::{CommandOutput, CommandResult, Style, write_json_value};
use crate::output::json::RunJson;
use crate::output::run_kind::RunKind;

pub(super) fn run(args: &BaselineArgs, settings: &Settings, output: &Output) -> CommandResult {
    let target = Target::new(settings, output)?;
    let options = settings.plan_options(Some(args.at.clone()), None);
    let report = target.run(options, async |runner| runner.baseline().await)?;
    let at = args.at.to_string();
    Ok(Box::new(BaselineOutput { at, report }))
}

struct BaselineOutput {
    at: String,
    report: Report,
}

impl CommandOutput for BaselineOutput {
    fn write_text(&self, out: &mut dyn Write, _: Style) -> io::Result<()> {
        let (at, database) = (&self.at, &self.report.database);
        match self.report.outcome {
            Outcome::Applied => writeln!(out, "{database} is marked as being at version {at}"),
            _ => writeln!(
                out,
                "{database} was already marked as being at version {at}"
            ),
        }
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        write_json_value(out, &RunJson::from_report(&self.report, RunKind::Baselined))
    }
}
