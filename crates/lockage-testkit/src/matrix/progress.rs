//! What is seen while cells run: a bar on a terminal, two lines a cell elsewhere.

use std::io::{IsTerminal, Write, stdout};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::outcome::{CaseState, SuiteOutcome};

/// The line of one cell.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    cell: String,
}

impl Progress {
    pub(super) fn begin(cell: &str) -> Self {
        let bar = stdout().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template(
                "{spinner:.cyan} {prefix:<28.bold} {elapsed:>4} {wide_msg}",
            ) {
                bar.set_style(style);
            }
            bar.set_prefix(cell.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self {
            bar,
            cell: cell.to_owned(),
        }
    }

    /// What goes on now; told as a line where there is no bar.
    pub(super) fn stage(&self, what: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(what.to_owned()),
            None => say(&format!("{}: {what}", self.cell)),
        }
    }

    /// A case is done.
    pub(super) fn case(&self, suite: &SuiteOutcome) {
        if let (Some(bar), Some(last)) = (&self.bar, suite.cases.last()) {
            let (passed, failed) = (
                suite.count(CaseState::Passed),
                suite.count(CaseState::Failed),
            );
            bar.set_message(format!(
                "{}: {passed} passed, {failed} failed, last {}",
                suite.name, last.name
            ));
        }
    }

    pub(super) fn end(self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        say(&format!("{}: {what}", self.cell));
    }
}

/// A line on standard output.
pub(super) fn say(line: &str) {
    let mut out = stdout();
    // Nobody may be there to read.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
