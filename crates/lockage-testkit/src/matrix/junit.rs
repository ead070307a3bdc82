//! JUnit's XML, which every CI server reads.

use std::fmt::Write;

use super::outcome::{CaseState, Outcome, Verdict};

/// One `testsuite` for each suite in each cell. A cell that was skipped is a suite with one skipped case.
pub(super) fn junit(outcomes: &[Outcome]) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for one in outcomes {
        let cell = format!("{}:{}:{}", one.engine, one.version, one.lock);
        for suite in &one.suites {
            begin(
                &mut xml,
                &format!("{cell} {}", suite.name),
                suite.cases.len().max(1),
                suite
                    .count(CaseState::Failed)
                    .max(usize::from(!suite.passed)),
                suite.count(CaseState::LeftOut),
                suite.seconds,
            );
            for case in &suite.cases {
                let inside = match case.state {
                    CaseState::Passed => String::new(),
                    CaseState::LeftOut => {
                        format!("<skipped message=\"{}\"/>", escaped(&case.reason))
                    }
                    CaseState::Failed => format!("<failure>{}</failure>", escaped(&suite.said)),
                };
                this(&mut xml, &cell, &case.name, &inside);
            }
            if !suite.passed && suite.count(CaseState::Failed) == 0 {
                this(
                    &mut xml,
                    &cell,
                    "the program",
                    &format!("<failure>{}</failure>", escaped(&suite.said)),
                );
            }
            xml.push_str("  </testsuite>\n");
        }
        if one.suites.is_empty() {
            let failed = usize::from(one.verdict == Verdict::Failed);
            let element = if failed == 1 { "failure" } else { "skipped" };
            begin(&mut xml, &cell, 1, failed, 1 - failed, 0.0);
            this(
                &mut xml,
                &cell,
                "can be had",
                &format!("<{element} message=\"{}\"/>", escaped(&one.source)),
            );
            xml.push_str("  </testsuite>\n");
        }
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn begin(
    xml: &mut String,
    name: &str,
    tests: usize,
    failures: usize,
    skipped: usize,
    seconds: f64,
) {
    // Writing to a text cannot fail.
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" skipped=\"{skipped}\" time=\"{seconds:.3}\">",
        escaped(name)
    );
}

fn this(xml: &mut String, class: &str, name: &str, inside: &str) {
    let _ = writeln!(
        xml,
        "    <testcase classname=\"{}\" name=\"{}\">{inside}</testcase>",
        escaped(class),
        escaped(name)
    );
}

/// Fit for a text or an attribute of XML or HTML.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML has no way to write these.
            c if c < ' ' && !matches!(c, '\n' | '\t') => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::outcome::{CaseOutcome, SuiteOutcome};
    use super::*;

    #[test]
    fn failures_and_what_was_skipped_are_told() {
        let case = |name: &str, state, reason: &str| CaseOutcome {
            name: name.into(),
            state,
            reason: reason.into(),
        };
        let mut failed = Outcome {
            engine: "acme".into(),
            version: "1".into(),
            lock: "table".into(),
            verdict: Verdict::Failed,
            source: "here".into(),
            seconds: 2.0,
            suites: vec![SuiteOutcome {
                name: "races".into(),
                passed: false,
                seconds: 1.5,
                cases: vec![
                    case("a", CaseState::Passed, ""),
                    case("b", CaseState::Failed, ""),
                    case("c", CaseState::LeftOut, "no \"gate\""),
                ],
                said: "left <right> & \u{1b}[31mred".into(),
            }],
            races: Vec::new(),
        };
        let xml = junit(std::slice::from_ref(&failed));
        assert!(xml.contains("<testsuite name=\"acme:1:table races\" tests=\"3\" failures=\"1\" skipped=\"1\" time=\"1.500\">"), "{xml}");
        assert!(
            xml.contains("<failure>left &lt;right&gt; &amp; [31mred</failure>"),
            "{xml}"
        );
        assert!(
            xml.contains("<skipped message=\"no &quot;gate&quot;\"/>"),
            "{xml}"
        );
        failed.suites.clear();
        let xml = junit(&[failed]);
        assert!(
            xml.contains("failures=\"1\" skipped=\"0\"")
                && xml.contains("<failure message=\"here\"/>"),
            "{xml}"
        );
    }

    #[test]
    fn a_program_that_dies_without_a_word_is_a_failure() {
        let xml = junit(&[Outcome {
            engine: "acme".into(),
            version: "1".into(),
            lock: "table".into(),
            verdict: Verdict::Failed,
            source: "here".into(),
            seconds: 0.0,
            suites: vec![SuiteOutcome {
                name: "races".into(),
                passed: false,
                seconds: 0.0,
                cases: Vec::new(),
                said: "signal: 9".into(),
            }],
            races: Vec::new(),
        }]);
        assert!(
            xml.contains("tests=\"1\" failures=\"1\"") && xml.contains("signal: 9"),
            "{xml}"
        );
    }
}
