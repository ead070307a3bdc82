//! `up`: applies pending migrations.

use std::io::{self, Write};

use lockage::{Outcome, Report};

use super::plan::{self, Direction};
use super::target::Target;
use crate::args::UpArgs;
use crate::config::Settings;
use crate::output::Output;
use crate::output::command_output::{CommandOutput, CommandResult, Style, write_json_value};
use crate::output::json::RunJson;
use crate::output::run_kind::RunKind;
use crate::output::text::{format_count, format_duration};
use crate::output::warning::warn_database_ahead;

pub(super) fn run(args: &UpArgs, settings: &Settings, output: &Output) -> CommandResult {
    let options = settings.plan_options(args.plan.to.clone(), args.plan.steps);
    let mut target = Target::new(settings, output)?;
    if args.dry_run {
        return plan::show_plan(&target, options, Direction::Up);
    }
    target.connect.create = settings.create;
    let report = target.run(options, async |runner| runner.up().await)?;
    output.trace.report(&report);
    Ok(Box::new(UpOutput { report }))
}

struct UpOutput {
    report: Report,
}

impl CommandOutput for UpOutput {
    fn write_text(&self, out: &mut dyn Write, _: Style) -> io::Result<()> {
        let report = &self.report;
        match report.outcome {
            Outcome::Applied => writeln!(
                out,
                "{} applied to {}",
                format_count(report.applied.len(), "migration"),
                report.database
            )?,
            _ if report.waited.is_zero() => writeln!(out, "{} is up to date", report.database)?,
            _ => writeln!(
                out,
                "{} is up to date; another run applied the migrations (waited {})",
                report.database,
                format_duration(report.waited)
            )?,
        }
        warn_database_ahead(out, &report.ahead)
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        write_json_value(out, &RunJson::from_report(&self.report, RunKind::Applied))
    }
}
