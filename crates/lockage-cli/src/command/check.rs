//! `check`: reports whether the database is current.

use std::io::{self, Write};

use lockage::{Outcome, Report};

use super::target::Target;
use crate::args::CheckArgs;
use crate::config::Settings;
use crate::exit::Exit;
use crate::output::Output;
use crate::output::command_output::{CommandOutput, CommandResult, Style, write_json_value};
use crate::output::json::RunJson;
use crate::output::run_kind::RunKind;
use crate::output::text::{format_count, format_duration};
use crate::output::warning::warn_database_ahead;

pub(super) fn run(args: &CheckArgs, settings: &Settings, output: &Output) -> CommandResult {
    let target = Target::new(settings, output)?;
    let options = settings.plan_options(args.to.clone(), None);
    let report = target.run(options, async |runner| runner.check().await)?;
    output.trace.report(&report);
    Ok(Box::new(CheckOutput { report }))
}

/// The result of `check` and `wait`.
pub(super) struct CheckOutput {
    pub(super) report: Report,
}

impl CommandOutput for CheckOutput {
    fn exit(&self) -> Exit {
        match self.report.outcome {
            Outcome::Pending => Exit::Pending,
            _ => Exit::Success,
        }
    }

    fn write_text(&self, out: &mut dyn Write, _: Style) -> io::Result<()> {
        let report = &self.report;
        let waited = match report.waited.as_secs() {
            0 => String::new(),
            _ => format!(" (waited {})", format_duration(report.waited)),
        };
        if report.outcome == Outcome::Pending {
            let migrations = format_count(report.pending.len(), "migration");
            writeln!(
                out,
                "{} is not current: {migrations} pending{waited}",
                report.database
            )?;
            for pending in &report.pending {
                let version = pending.version.as_deref().unwrap_or("repeatable");
                write!(out, "  {version}  {}", pending.name)?;
                match &pending.unfinished {
                    Some(started) => writeln!(
                        out,
                        "  {} after {} of {} statements",
                        started.state.as_str(),
                        started.statements_done,
                        started.statements_total
                    )?,
                    None => writeln!(out)?,
                }
            }
        } else {
            writeln!(out, "{} is up to date{waited}", report.database)?;
        }
        warn_database_ahead(out, &report.ahead)
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        write_json_value(out, &RunJson::from_report(&self.report, RunKind::Applied))
    }
}
