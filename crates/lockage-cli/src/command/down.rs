//! `down`: undoes migrations.

use std::io::{self, Write};

use lockage::{Outcome, Report};

use super::plan::{self, Direction};
use super::target::Target;
use crate::args::DownArgs;
use crate::config::Settings;
use crate::output::Output;
use crate::output::command_output::{CommandOutput, CommandResult, Style, write_json_value};
use crate::output::json::RunJson;
use crate::output::run_kind::RunKind;
use crate::output::text::format_count;

pub(super) fn run(args: &DownArgs, settings: &Settings, output: &Output) -> CommandResult {
    let options = settings.plan_options(args.to.clone(), args.steps);
    let target = Target::new(settings, output)?;
    if args.dry_run {
        return plan::show_plan(&target, options, Direction::Down);
    }
    let report = target.run(options, async |runner| runner.down().await)?;
    Ok(Box::new(DownOutput { report }))
}

struct DownOutput {
    report: Report,
}

impl CommandOutput for DownOutput {
    fn write_text(&self, out: &mut dyn Write, _: Style) -> io::Result<()> {
        match self.report.outcome {
            Outcome::Applied => writeln!(
                out,
                "{} undone in {}",
                format_count(self.report.applied.len(), "migration"),
                self.report.database
            ),
            _ => writeln!(out, "nothing to undo in {}", self.report.database),
        }
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        write_json_value(out, &RunJson::from_report(&self.report, RunKind::Undone))
    }
}
