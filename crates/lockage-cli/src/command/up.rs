use std::io::{self, Write};

use lockage::{Outcome, Report};

use super::plan::{self, Way};
use super::target::Target;
use super::{Answered, json_line};
use crate::args::UpArgs;
use crate::config::Settings;
use crate::output::json::{Deed, Run};
use crate::output::text::{count, duration};
use crate::output::{Answer, Output, Style};

pub(super) fn run(args: &UpArgs, settings: &Settings, output: &Output) -> Answered {
    let options = settings.plan_options(args.plan.to.clone(), args.plan.steps);
    let mut target = Target::new(settings, output)?;
    if args.dry_run {
        return plan::show(&target, options, Way::Up);
    }
    target.connect.create = settings.create;
    let report = target.run(options, async |runner| runner.up().await)?;
    output.trace.report(&report);
    Ok(Box::new(Up { report }))
}

struct Up {
    report: Report,
}

impl Answer for Up {
    fn write_text(&self, out: &mut dyn Write, _: Style) -> io::Result<()> {
        let report = &self.report;
        match report.outcome {
            Outcome::Applied => writeln!(
                out,
                "{} applied to {}",
                count(report.applied.len(), "migration"),
                report.database
            )?,
            _ if report.waited.is_zero() => writeln!(out, "{} is up to date", report.database)?,
            _ => writeln!(
                out,
                "{} is up to date; another run did the work (waited {})",
                report.database,
                duration(report.waited)
            )?,
        }
        ahead(out, &report.future)
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        json_line(out, &Run::of(&self.report, Deed::Applied))
    }
}

/// Says that the database is ahead of the files.
pub(super) fn ahead(out: &mut dyn Write, future: &[String]) -> io::Result<()> {
    match future {
        [] => Ok(()),
        [one] => writeln!(
            out,
            "the database is ahead: version {one} is in its history, and newer than every file"
        ),
        many => writeln!(
            out,
            "the database is ahead: versions {} are in its history, and newer than every file",
            many.join(", ")
        ),
    }
}
