//! The table at the end.

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};

use super::outcome::{CaseState, Outcome, Verdict};

/// Where nobody says how wide a line may be.
const WIDTH: u16 = 150;

/// The table, in colours.
pub(super) fn table(outcomes: &[Outcome]) -> Table {
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
            "left out",
            "time",
            "where it came from, or why not",
        ]);
    for one in outcomes {
        let (word, colour) = word(one.verdict);
        let number = |state| match one.suites.is_empty() {
            true => String::new(),
            false => one.count(state).to_string(),
        };
        let time = match one.suites.is_empty() {
            true => String::new(),
            false => format!("{:.0} s", one.seconds),
        };
        table.add_row([
            Cell::new(&one.engine),
            Cell::new(&one.version),
            Cell::new(&one.lock),
            Cell::new(word).fg(colour).add_attribute(Attribute::Bold),
            Cell::new(number(CaseState::Passed)),
            Cell::new(number(CaseState::Failed)),
            Cell::new(number(CaseState::LeftOut)),
            Cell::new(time),
            Cell::new(&one.source),
        ]);
    }
    if table.width().is_none() {
        table.set_width(WIDTH);
    }
    // Red is for people, and for logs that show colours.
    table.enforce_styling();
    table
}

pub(super) fn word(verdict: Verdict) -> (&'static str, Color) {
    match verdict {
        Verdict::Passed => ("passed", Color::Green),
        Verdict::There => ("there", Color::Green),
        Verdict::Failed => ("FAILED", Color::Red),
        Verdict::Skipped => ("SKIPPED", Color::Red),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_skipped_is_red_and_says_why() {
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
        let shown = table(&[outcome(Verdict::There, "here")]).to_string();
        assert!(!shown.contains("SKIPPED"));
    }
}
