use std::io::{self, Write};

use lockage::{Outcome, Report};

use super::target::Target;
use super::{Answered, json_line};
use crate::args::BaselineArgs;
use crate::config::Settings;
use crate::output::json::{Deed, Run};
use crate::output::{Answer, Output, Style};

pub(super) fn run(args: &BaselineArgs, settings: &Settings, output: &Output) -> Answered {
    let target = Target::new(settings, output)?;
    let options = settings.plan_options(Some(args.at.clone()), None);
    let report = target.run(options, async |runner| runner.baseline().await)?;
    let at = args.at.to_string();
    Ok(Box::new(Baselined { at, report }))
}

struct Baselined {
    at: String,
    report: Report,
}

impl Answer for Baselined {
    fn write_text(&self, out: &mut dyn Write, _: Style) -> io::Result<()> {
        let (at, database) = (&self.at, &self.report.database);
        match self.report.outcome {
            Outcome::Applied => writeln!(out, "{database} is marked as being at version {at}"),
            _ => writeln!(out, "{database} was marked as being at version {at} before"),
        }
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        json_line(out, &Run::of(&self.report, Deed::Baselined))
    }
}
