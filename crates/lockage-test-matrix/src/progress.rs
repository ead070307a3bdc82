//! Progress output of a cell: a bar on a terminal, lines elsewhere.

use std::io::{IsTerminal, Write, stdout};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::outcome::{CaseState, SuiteOutcome};

/// The progress of one cell.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    cell: String,
}

impl Progress {
    pub(crate) fn start(cell: &str) -> Self {
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

    /// Shows the current stage. Prints a line if there is no bar.
    pub(crate) fn stage(&self, stage: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(stage.to_owned()),
            None => print_line(&format!("{}: {stage}", self.cell)),
        }
    }

    /// Shows the counts of a suite after one of its cases.
    pub(crate) fn case(&self, suite: &SuiteOutcome) {
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

    /// Removes the bar and prints the result of the cell.
    pub(crate) fn finish(self, result: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        print_line(&format!("{}: {result}", self.cell));
    }
}

/// Prints a line to standard output.
pub(crate) fn print_line(line: &str) {
    let mut out = stdout();
    // A closed pipe is not an error.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
