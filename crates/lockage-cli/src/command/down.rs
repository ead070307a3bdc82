use std::io::{self, Write};

use lockage::{Outcome, Report};

use super::plan::{self, Way};
use super::target::Target;
use super::{Answered, json_line};
use crate::args::DownArgs;
use crate::config::Settings;
use crate::output::json::{Deed, Run};
use crate::output::text::count;
use crate::output::{Answer, Output, Style};

pub(super) fn run(args: &DownArgs, settings: &Settings, output: &Output) -> Answered {
    let options = settings.plan_options(args.to.clone(), args.steps);
    let target = Target::new(settings, output)?;
    if args.dry_run {
        return plan::show(&target, options, Way::Down);
    }
    let report = target.run(options, async |runner| runner.down().await)?;
    Ok(Box::new(Down { report }))
}

struct Down {
    report: Report,
}

impl Answer for Down {
    fn write_text(&self, out: &mut dyn Write, _: Style) -> io::Result<()> {
        match self.report.outcome {
            Outcome::Applied => writeln!(
                out,
                "{} undone in {}",
                count(self.report.applied.len(), "migration"),
                self.report.database
            ),
            _ => writeln!(out, "nothing to undo in {}", self.report.database),
        }
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        json_line(out, &Run::of(&self.report, Deed::Undone))
    }
}
