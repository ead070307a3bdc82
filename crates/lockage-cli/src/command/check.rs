use std::io::{self, Write};

use lockage::{Outcome, Report};

use super::target::Target;
use super::up::ahead;
use super::{Answered, json_line};
use crate::args::CheckArgs;
use crate::config::Settings;
use crate::exit::Exit;
use crate::output::json::{Deed, Run};
use crate::output::text::{count, duration};
use crate::output::{Answer, Output, Style};

pub(super) fn run(args: &CheckArgs, settings: &Settings, output: &Output) -> Answered {
    let target = Target::new(settings, output)?;
    let options = settings.plan_options(args.to.clone(), None);
    let report = target.run(options, async |runner| runner.check().await)?;
    output.trace.report(&report);
    Ok(Box::new(Current { report }))
}

/// Whether a database is current.
pub(super) struct Current {
    pub(super) report: Report,
}

impl Answer for Current {
    fn exit(&self) -> Exit {
        match self.report.outcome {
            Outcome::Pending => Exit::Pending,
            _ => Exit::Done,
        }
    }

    fn write_text(&self, out: &mut dyn Write, _: Style) -> io::Result<()> {
        let report = &self.report;
        let waited = match report.waited.as_secs() {
            0 => String::new(),
            _ => format!(" (waited {})", duration(report.waited)),
        };
        if report.outcome == Outcome::Pending {
            let what = count(report.pending.len(), "migration");
            writeln!(
                out,
                "{} is not current: {what} pending{waited}",
                report.database
            )?;
            for pending in &report.pending {
                let version = pending.version.as_deref().unwrap_or("repeatable");
                writeln!(out, "  {version}  {}", pending.name)?;
            }
        } else {
            writeln!(out, "{} is up to date{waited}", report.database)?;
        }
        ahead(out, &report.future)
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        json_line(out, &Run::of(&self.report, Deed::Applied))
    }
}
