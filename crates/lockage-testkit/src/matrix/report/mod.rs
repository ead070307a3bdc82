//! The page: every cell, what became of it, and how its races went, drawn. One file, with nothing to load.

mod drawing;
mod race;

use std::fmt::Write;

use super::junit::escaped;
use super::outcome::{CaseState, Outcome, Verdict};
use race::Race;

const STYLE: &str = include_str!("page.css");

/// What the colours mean.
const LEGEND: &str = "<p class=legend><i class=starting></i>starting <i class=waiting></i>waiting <i class=holding></i>holding the lock \
    <i class=applying></i>applying a migration <i class=leaving></i>leaving <i class=killed></i>killed</p>";

/// The whole page.
pub(super) fn page(outcomes: &[Outcome], seconds: f64) -> String {
    let count = |verdict| outcomes.iter().filter(|one| one.verdict == verdict).count();
    let (failed, skipped) = (count(Verdict::Failed), count(Verdict::Skipped));
    let mood = if failed > 0 { "failed" } else { "passed" };
    let headline = match (failed, count(Verdict::Passed)) {
        (0, passed) => format!("{passed} of {} cells passed", outcomes.len()),
        (failed, _) => format!("{failed} of {} cells failed", outcomes.len()),
    };
    let cases: usize = outcomes
        .iter()
        .map(|one| one.count(CaseState::Passed))
        .sum();
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>Lockage test matrix: {headline}</title><style>{STYLE}</style>\
         <header class={mood}><h1>Lockage test matrix</h1><p class=headline>{headline}</p>\
         <p>{cases} cases passed in {}; {skipped} cells were skipped.</p></header><main>",
        clock(seconds)
    );
    page.push_str("<nav>");
    for (index, one) in outcomes.iter().enumerate() {
        tile(&mut page, index, one);
    }
    page.push_str("</nav>");
    skipped_ones(&mut page, outcomes);
    if outcomes.iter().any(|one| !one.races.is_empty()) {
        let _ = write!(
            page,
            "<h2>How the races went</h2><p>Each line is a process of the real program; all of a race were started at once against \
            one database. Point at a stretch for what it was.</p>{LEGEND}"
        );
    }
    for (index, one) in outcomes
        .iter()
        .enumerate()
        .filter(|(_, one)| !one.suites.is_empty())
    {
        cell(&mut page, index, one);
    }
    page.push_str("</main></html>\n");
    page
}

fn tile(page: &mut String, index: usize, one: &Outcome) {
    let (class, word) = class(one.verdict);
    let numbers = match one.suites.is_empty() {
        true => String::new(),
        false => format!(
            "{} passed{} · {}",
            one.count(CaseState::Passed),
            match one.count(CaseState::Failed) {
                0 => String::new(),
                failed => format!(", {failed} failed"),
            },
            clock(one.seconds)
        ),
    };
    let _ = write!(
        page,
        "<a class=\"tile {class}\" href=\"#c{index}\"><b>{} {}</b><span>{}</span><em>{word}</em><small>{numbers}</small></a>",
        escaped(&one.engine),
        escaped(&one.version),
        escaped(&one.lock)
    );
}

fn skipped_ones(page: &mut String, outcomes: &[Outcome]) {
    let mut rows = String::new();
    for (index, one) in outcomes
        .iter()
        .enumerate()
        .filter(|(_, one)| one.suites.is_empty())
    {
        let (class, word) = class(one.verdict);
        let _ = write!(
            rows,
            "<tr id=c{index}><td>{} {}<td>{}<td class={class}>{word}<td>{}",
            escaped(&one.engine),
            escaped(&one.version),
            escaped(&one.lock),
            escaped(&one.source)
        );
    }
    if !rows.is_empty() {
        let _ = write!(
            page,
            "<h2>What was not run, and why</h2><table>{rows}</table>"
        );
    }
}

fn cell(page: &mut String, index: usize, one: &Outcome) {
    let (class, word) = class(one.verdict);
    let _ = write!(
        page,
        "<section id=c{index}><h3>{} {} <span>{}</span> <em class={class}>{word}</em></h3><p class=source>{}</p><table class=suites>",
        escaped(&one.engine),
        escaped(&one.version),
        escaped(&one.lock),
        escaped(&one.source)
    );
    for suite in &one.suites {
        let failed = suite.count(CaseState::Failed);
        let _ = write!(
            page,
            "<tr><td>{}<td>{} passed<td class={}>{failed} failed<td>{} left out<td>{}",
            escaped(&suite.name),
            suite.count(CaseState::Passed),
            if suite.passed { "quiet" } else { "failed" },
            suite.count(CaseState::LeftOut),
            clock(suite.seconds)
        );
    }
    page.push_str("</table>");
    for suite in one.suites.iter().filter(|suite| !suite.passed) {
        let _ = write!(page, "<pre>{}</pre>", escaped(&suite.said));
    }
    let races: Vec<Race> = one
        .races
        .iter()
        .filter_map(Race::read)
        .filter(|race| race.replicas.len() > 1)
        .collect();
    hand_overs(page, &races);
    for (place, race) in races.iter().enumerate() {
        // The first of each case is open.
        let first = races[..place].iter().all(|other| other.case != race.case);
        let _ = write!(
            page,
            "<details{}><summary>{}</summary>{}</details>",
            if first { " open" } else { "" },
            escaped(&race.told()),
            drawing::svg(race)
        );
    }
    page.push_str("</section>");
}

/// How long it took from a holder's end to the next holder, and to the last one's leaving.
fn hand_overs(page: &mut String, races: &[Race]) {
    let mut leaving: Vec<u64> = races.iter().filter_map(Race::last_left_after).collect();
    let mut taking: Vec<u64> = races.iter().flat_map(Race::taken_over_after).collect();
    for (what, times) in [
        (
            "from the end of the work until the last replica had left",
            &mut leaving,
        ),
        (
            "from a killed holder until the next held the lock",
            &mut taking,
        ),
    ] {
        times.sort_unstable();
        if let (Some(least), Some(most)) = (times.first(), times.last()) {
            let middle = times[times.len() / 2];
            let _ = write!(
                page,
                "<p class=handover><b>{middle} ms</b> {what} <small>({} times, {least} to {most} ms)</small></p>",
                times.len()
            );
        }
    }
}

fn class(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Passed => ("passed", "passed"),
        Verdict::There => ("passed", "there"),
        Verdict::Failed => ("failed", "failed"),
        Verdict::Skipped => ("skipped", "skipped"),
    }
}

fn clock(seconds: f64) -> String {
    match seconds {
        s if s < 60.0 => format!("{s:.1} s"),
        s => format!("{:.0} min {:.0} s", (s / 60.0).floor(), s % 60.0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::outcome::SuiteOutcome;
    use super::*;

    #[test]
    fn the_page_tells_what_was_skipped_and_draws_the_races() {
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
            name: "races".into(),
            passed: true,
            seconds: 1.0,
            cases: Vec::new(),
            said: String::new(),
        };
        let race = serde_json::json!({"case": "acme::race", "replicas": [
            {"pid": 7, "killed": false, "exit": 0, "outcome": "applied", "end_ms": 90,
             "said": [[5, "connected to acme://<x>"], [6, "got the lock 4006; 1 migration to do"], [10, "[1/1] applying 1 <a>"], [40, "applied 1 <a> (30 ms)"], [50, "gave the lock 4006 back"]]},
            {"pid": 8, "killed": false, "exit": 0, "outcome": "up_to_date", "end_ms": 80, "said": [[5, "connected to acme://x"]]},
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
            page.contains("<svg") && page.contains("applying 1 &lt;a&gt;"),
            "{page}"
        );
        assert!(
            page.contains("<b>30 ms</b> from the end of the work"),
            "{page}"
        );
        assert!(!page.contains("http"), "it loads nothing");
    }
}
