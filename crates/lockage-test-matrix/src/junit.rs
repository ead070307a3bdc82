//! The results as JUnit XML, which CI servers read.

use std::fmt::Write;

use crate::outcome::{CaseState, Outcome, Verdict};

/// Returns one `testsuite` for each suite in each cell. A skipped cell is a suite with one skipped case.
pub(crate) fn junit(outcomes: &[Outcome]) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for outcome in outcomes {
        let cell = format!("{}:{}:{}", outcome.engine, outcome.version, outcome.lock);
        for suite in &outcome.suites {
            open_suite(
                &mut xml,
                &format!("{cell} {}", suite.name),
                suite.cases.len().max(1),
                suite
                    .count(CaseState::Failed)
                    .max(usize::from(!suite.passed)),
                suite.count(CaseState::Skipped),
                suite.seconds,
            );
            for case in &suite.cases {
                let content = match case.state {
                    CaseState::Passed => String::new(),
                    CaseState::Skipped => {
                        format!("<skipped message=\"{}\"/>", escaped(&case.reason))
                    }
                    CaseState::Failed => format!("<failure>{}</failure>", escaped(&suite.output)),
                };
                test_case(&mut xml, &cell, &case.name, &content);
            }
            if !suite.passed && suite.count(CaseState::Failed) == 0 {
                test_case(
                    &mut xml,
                    &cell,
                    "the program",
                    &format!("<failure>{}</failure>", escaped(&suite.output)),
                );
            }
            xml.push_str("  </testsuite>\n");
        }
        if outcome.suites.is_empty() {
            let failed = usize::from(outcome.verdict == Verdict::Failed);
            let element = if failed == 1 { "failure" } else { "skipped" };
            open_suite(&mut xml, &cell, 1, failed, 1 - failed, 0.0);
            test_case(
                &mut xml,
                &cell,
                "is available",
                &format!("<{element} message=\"{}\"/>", escaped(&outcome.source)),
            );
            xml.push_str("  </testsuite>\n");
        }
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn open_suite(
    xml: &mut String,
    name: &str,
    tests: usize,
    failures: usize,
    skipped: usize,
    seconds: f64,
) {
    // Writing to a string cannot fail.
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" skipped=\"{skipped}\" time=\"{seconds:.3}\">",
        escaped(name)
    );
}

fn test_case(xml: &mut String, class: &str, name: &str, content: &str) {
    let _ = writeln!(
        xml,
        "    <testcase classname=\"{}\" name=\"{}\">{content}</testcase>",
        escaped(class),
        escaped(name)
    );
}

/// Escapes text for the content or an attribute of an XML or HTML element.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML cannot represent control characters.
            c if c < ' ' && !matches!(c, '\n' | '\t') => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{CaseOutcome, SuiteOutcome};

    #[test]
    fn junit_contains_failures_and_skips() {
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
                    case("c", CaseState::Skipped, "no \"barrier\""),
                ],
                output: "left <right> & \u{1b}[31mred".into(),
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
            xml.contains("<skipped message=\"no &quot;barrier&quot;\"/>"),
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
    fn program_without_results_is_a_failure() {
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
                output: "signal: 9".into(),
            }],
            races: Vec::new(),
        }]);
        assert!(
            xml.contains("tests=\"1\" failures=\"1\"") && xml.contains("signal: 9"),
            "{xml}"
        );
    }
}
