//! The HTML report: all cells with their results, and a drawing of each race. The page loads no other file.

mod drawing;
mod race;

use std::fmt::Write;

use crate::junit::escaped;
use crate::outcome::{CaseState, Outcome, Verdict};
use race::Race;

const STYLE: &str = include_str!("page.css");

/// The meaning of the colours.
const LEGEND: &str = "<p class=legend><i class=starting></i>starting <i class=waiting></i>waiting <i class=holding></i>holding the lock \
    <i class=applying></i>applying a migration <i class=leaving></i>leaving <i class=killed></i>killed</p>";

/// Returns the page.
pub(crate) fn page(outcomes: &[Outcome], seconds: f64) -> String {
    let mut page = header(outcomes, seconds);
    page.push_str("<nav>");
    for (index, outcome) in outcomes.iter().enumerate() {
        summary_tile(&mut page, index, outcome);
    }
    page.push_str("</nav>");
    skipped_cells(&mut page, outcomes);
    if outcomes.iter().any(|outcome| !outcome.races.is_empty()) {
        let _ = write!(
            page,
            "<h2>Races</h2><p>Each line is a process of the real program. All processes of a race start together against one database. \
            Point at an interval for details.</p>{LEGEND}"
        );
    }
    for (index, outcome) in outcomes
        .iter()
        .enumerate()
        .filter(|(_, outcome)| !outcome.suites.is_empty())
    {
        cell(&mut page, index, outcome);
    }
    page.push_str("</main></html>\n");
    page
}

fn header(outcomes: &[Outcome], seconds: f64) -> String {
    let count = |verdict| {
        let same = outcomes.iter().filter(|outcome| outcome.verdict == verdict);
        same.count()
    };
    let (failed, skipped) = (count(Verdict::Failed), count(Verdict::Skipped));
    let class = if failed > 0 { "failed" } else { "passed" };
    let headline = match (failed, count(Verdict::Passed)) {
        (0, passed) => format!("{passed} of {} cells passed", outcomes.len()),
        (failed, _) => format!("{failed} of {} cells failed", outcomes.len()),
    };
    let cases: usize = outcomes
        .iter()
        .map(|outcome| outcome.count(CaseState::Passed))
        .sum();
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>Lockage test matrix: {headline}</title><style>{STYLE}</style>\
         <header class={class}><h1>Lockage test matrix</h1><p class=headline>{headline}</p>\
         <p>{cases} cases passed in {}; {skipped} cells were skipped.</p></header><main>",
        format_time(seconds)
    )
}

fn summary_tile(page: &mut String, index: usize, outcome: &Outcome) {
    let (class, word) = class_and_word(outcome.verdict);
    let counts = match outcome.suites.is_empty() {
        true => String::new(),
        false => format!(
            "{} passed{} · {}",
            outcome.count(CaseState::Passed),
            match outcome.count(CaseState::Failed) {
                0 => String::new(),
                failed => format!(", {failed} failed"),
            },
            format_time(outcome.seconds)
        ),
    };
    let _ = write!(
        page,
        "<a class=\"tile {class}\" href=\"#c{index}\"><b>{} {}</b><span>{}</span><em>{word}</em><small>{counts}</small></a>",
        escaped(&outcome.engine),
        escaped(&outcome.version),
        escaped(&outcome.lock)
    );
}

fn skipped_cells(page: &mut String, outcomes: &[Outcome]) {
    let mut rows = String::new();
    for (index, outcome) in outcomes
        .iter()
        .enumerate()
        .filter(|(_, outcome)| outcome.suites.is_empty())
    {
        let (class, word) = class_and_word(outcome.verdict);
        let _ = write!(
            rows,
            "<tr id=c{index}><td>{} {}<td>{}<td class={class}>{word}<td>{}",
            escaped(&outcome.engine),
            escaped(&outcome.version),
            escaped(&outcome.lock),
            escaped(&outcome.source)
        );
    }
    if !rows.is_empty() {
        let _ = write!(
            page,
            "<h2>Cells that did not run, with the reason</h2><table>{rows}</table>"
        );
    }
}

fn cell(page: &mut String, index: usize, outcome: &Outcome) {
    let (class, word) = class_and_word(outcome.verdict);
    let _ = write!(
        page,
        "<section id=c{index}><h3>{} {} <span>{}</span> <em class={class}>{word}</em></h3><p class=source>{}</p><table class=suites>",
        escaped(&outcome.engine),
        escaped(&outcome.version),
        escaped(&outcome.lock),
        escaped(&outcome.source)
    );
    for suite in &outcome.suites {
        let failed = suite.count(CaseState::Failed);
        let _ = write!(
            page,
            "<tr><td>{}<td>{} passed<td class={}>{failed} failed<td>{} skipped<td>{}",
            escaped(&suite.name),
            suite.count(CaseState::Passed),
            if suite.passed { "quiet" } else { "failed" },
            suite.count(CaseState::Skipped),
            format_time(suite.seconds)
        );
    }
    page.push_str("</table>");
    for suite in outcome.suites.iter().filter(|suite| !suite.passed) {
        let _ = write!(page, "<pre>{}</pre>", escaped(&suite.output));
    }
    races(page, outcome);
    page.push_str("</section>");
}

fn races(page: &mut String, outcome: &Outcome) {
    let races: Vec<Race> = outcome
        .races
        .iter()
        .filter_map(Race::read)
        .filter(|race| race.replicas.len() > 1)
        .collect();
    takeover_table(page, &races);
    for (index, race) in races.iter().enumerate() {
        // Only the first race of each case is expanded.
        let first = races[..index].iter().all(|other| other.case != race.case);
        let _ = write!(
            page,
            "<details{}><summary>{}</summary>{}</details>",
            if first { " open" } else { "" },
            escaped(&race.describe()),
            drawing::svg(race)
        );
    }
}

/// Writes the time from the end of the work to the last exit, and from a killed holder to the next holder.
fn takeover_table(page: &mut String, races: &[Race]) {
    let mut exits: Vec<u64> = races.iter().filter_map(Race::last_exit_delay).collect();
    let mut takeovers: Vec<u64> = races.iter().flat_map(Race::takeover_delays).collect();
    for (label, times) in [
        (
            "from the end of the work until the last process exited",
            &mut exits,
        ),
        (
            "from a killed holder until the next process held the lock",
            &mut takeovers,
        ),
    ] {
        times.sort_unstable();
        if let (Some(min), Some(max)) = (times.first(), times.last()) {
            let median = times[times.len() / 2];
            let _ = write!(
                page,
                "<p class=handover><b>{median} ms</b> {label} <small>({} times, {min} to {max} ms)</small></p>",
                times.len()
            );
        }
    }
}

/// Returns the CSS class and the word for a verdict.
fn class_and_word(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Passed => ("passed", "passed"),
        Verdict::Available => ("passed", "available"),
        Verdict::Failed => ("failed", "failed"),
        Verdict::Skipped => ("skipped", "skipped"),
    }
}

fn format_time(seconds: f64) -> String {
    match seconds {
        s if s < 60.0 => format!("{s:.1} s"),
        s => format!("{:.0} min {:.0} s", (s / 60.0).floor(), s % 60.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::SuiteOutcome;

    #[test]
    fn page_shows_skipped_cells_and_races() {
        let outcome = |verdict, source: &str, suites, races| Outcome {
            engine: "acme".into(),
            version: "1".into(),
            lock: "table".into(),
            verdict,
            source: source.into(),
            seconds: 61.0,
            suites,
            races,
        };
        let suite = SuiteOutcome {
            passed: true,
            ..SuiteOutcome::new("races")
        };
        let race = serde_json::json!({"case": "acme::race", "replicas": [
            {"pid": 7, "killed": false, "exit": 0, "outcome": "applied", "end_ms": 90, "events": [
                {"ms": 5, "event": "connected", "database": "acme://<x>"},
                {"ms": 6, "event": "acquired", "lock": "4006", "steps": 1},
                {"ms": 10, "event": "started", "version": "1", "name": "<a>", "action": "apply", "step": 1, "steps": 1},
                {"ms": 40, "event": "applied", "version": "1", "name": "<a>", "took_ms": 30},
                {"ms": 50, "event": "released", "lock": "4006"}]},
            {"pid": 8, "killed": false, "exit": 0, "outcome": "up_to_date", "end_ms": 80,
             "events": [{"ms": 5, "event": "connected", "database": "acme://x"}]},
        ]});
        let page = page(
            &[
                outcome(Verdict::Passed, "image", vec![suite], vec![race]),
                outcome(Verdict::Skipped, "no <acme>", Vec::new(), Vec::new()),
            ],
            3.0,
        );
        assert!(
            page.contains("no &lt;acme&gt;") && !page.contains("<acme>"),
            "{page}"
        );
        assert!(
            page.contains("<svg") && page.contains("[1/1] apply 1 &lt;a&gt;"),
            "{page}"
        );
        assert!(
            page.contains("<b>30 ms</b> from the end of the work"),
            "{page}"
        );
        assert!(!page.contains("http"), "the page loads a file");
    }
}
