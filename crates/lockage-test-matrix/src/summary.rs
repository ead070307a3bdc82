//! The table that is printed at the end of a run.

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};

use crate::outcome::{CaseState, Outcome, Verdict};

/// The width of the table if standard output is not a terminal.
const DEFAULT_WIDTH: u16 = 150;

/// Returns the table of all cells, in colours.
pub(crate) fn table(outcomes: &[Outcome]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header([
            "engine",
            "version",
            "lock",
            "",
            "passed",
            "failed",
            "skipped",
            "time",
            "source, or reason",
        ]);
    for outcome in outcomes {
        let (word, colour) = word(outcome.verdict);
        let has_run = !outcome.suites.is_empty();
        let count = |state| match has_run {
            true => outcome.count(state).to_string(),
            false => String::new(),
        };
        let time = match has_run {
            true => format!("{:.0} s", outcome.seconds),
            false => String::new(),
        };
        table.add_row([
            Cell::new(&outcome.engine),
            Cell::new(&outcome.version),
            Cell::new(&outcome.lock),
            Cell::new(word).fg(colour).add_attribute(Attribute::Bold),
            Cell::new(count(CaseState::Passed)),
            Cell::new(count(CaseState::Failed)),
            Cell::new(count(CaseState::Skipped)),
            Cell::new(time),
            Cell::new(&outcome.source),
        ]);
    }
    if table.width().is_none() {
        table.set_width(DEFAULT_WIDTH);
    }
    // CI logs show colours too, so a skipped cell stays red there.
    table.enforce_styling();
    table
}

/// Returns the word for a verdict and its colour.
pub(crate) fn word(verdict: Verdict) -> (&'static str, Color) {
    match verdict {
        Verdict::Passed => ("passed", Color::Green),
        Verdict::Available => ("available", Color::Green),
        Verdict::Failed => ("FAILED", Color::Red),
        Verdict::Skipped => ("SKIPPED", Color::Red),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_cell_is_red_with_reason() {
        let outcome = |verdict, source: &str| Outcome {
            engine: "acme".into(),
            version: "1".into(),
            lock: "table".into(),
            verdict,
            source: source.into(),
            seconds: 0.0,
            suites: Vec::new(),
            races: Vec::new(),
        };
        let shown = table(&[outcome(Verdict::Skipped, "no acme: install it")]).to_string();
        assert!(shown.contains("no acme: install it"), "{shown}");
        let (before, _) = shown.split_once("SKIPPED").unwrap();
        let colours: Vec<_> = before.rsplit('\u{1b}').take(3).collect();
        assert!(
            colours
                .iter()
                .any(|code| code.starts_with("[38;5;9m") || code.starts_with("[31m")),
            "{shown:?}"
        );
        let shown = table(&[outcome(Verdict::Available, "here")]).to_string();
        assert!(!shown.contains("SKIPPED"));
    }
}
