//! The results of cells, suites and cases.

use serde::Serialize;
use serde_json::Value;

/// The result of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Passed,
    /// A case failed, or the cell was required and is not available.
    Failed,
    /// The cell is not available or is excluded.
    Skipped,
    /// The cell is available. Nothing ran, because of `--list`.
    #[serde(rename = "there")]
    Available,
}

/// A cell and its results.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) engine: String,
    pub(crate) version: String,
    pub(crate) lock: String,
    pub(crate) verdict: Verdict,
    /// The source of the engine, or the reason why it is not available.
    pub(crate) source: String,
    pub(crate) seconds: f64,
    pub(crate) suites: Vec<SuiteOutcome>,
    /// The traces of races, for the timelines of the report.
    #[serde(skip)]
    pub(crate) races: Vec<Value>,
}

/// The results of a suite in a cell.
#[derive(Debug, Serialize)]
pub(crate) struct SuiteOutcome {
    pub(crate) name: String,
    pub(crate) passed: bool,
    pub(crate) seconds: f64,
    pub(crate) cases: Vec<CaseOutcome>,
    /// The output of the suite if it failed.
    #[serde(rename = "said")]
    pub(crate) output: String,
}

/// The result of a case in a suite.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(crate) struct CaseOutcome {
    pub(crate) name: String,
    pub(crate) state: CaseState,
    /// The reason why the case was skipped.
    pub(crate) reason: String,
}

#[derive(Debug, Clone, Copy, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CaseState {
    Passed,
    Failed,
    #[serde(rename = "left_out")]
    Skipped,
}

impl Outcome {
    pub(crate) fn count(&self, state: CaseState) -> usize {
        self.suites.iter().map(|suite| suite.count(state)).sum()
    }
}

impl SuiteOutcome {
    /// Creates the result of a suite before it runs.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            passed: false,
            seconds: 0.0,
            cases: Vec::new(),
            output: String::new(),
        }
    }

    /// Creates the result of a suite that did not run.
    pub(crate) fn skipped(name: &str, reason: &str) -> Self {
        let case = CaseOutcome {
            name: name.to_owned(),
            state: CaseState::Skipped,
            reason: reason.to_owned(),
        };
        Self {
            passed: true,
            cases: vec![case],
            ..Self::new(name)
        }
    }

    /// Creates the result of a suite that could not start.
    pub(crate) fn failed(name: &str, output: String) -> Self {
        Self {
            output,
            ..Self::new(name)
        }
    }

    pub(crate) fn count(&self, state: CaseState) -> usize {
        self.cases.iter().filter(|case| case.state == state).count()
    }
}

impl CaseOutcome {
    /// Parses a line of a test program, such as `test [left out: reason] name ... ignored`. Returns `None` for other lines.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (name, result) = line
            .trim_end()
            .strip_prefix("test ")?
            .rsplit_once(" ... ")?;
        let state = match result.split([',', ' ']).next()? {
            "ok" => CaseState::Passed,
            "FAILED" => CaseState::Failed,
            "ignored" => CaseState::Skipped,
            _ => return None,
        };
        let (name, reason) = split_reason(name.trim(), result);
        Some(Self {
            name: name.trim().to_owned(),
            state,
            reason: reason.trim().to_owned(),
        })
    }
}

/// Separates the reason of a skipped case from its name. Test programs write it as `[left out: reason] name`, as
/// `name (left out: reason)` or after the result as `ignored, reason`.
fn split_reason<'a>(name: &'a str, result: &'a str) -> (&'a str, &'a str) {
    if let Some((kind, name)) = name
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "))
    {
        return (name, kind.trim_start_matches("left out: "));
    }
    if let Some((name, reason)) = name
        .strip_suffix(')')
        .and_then(|name| name.split_once(" (left out: "))
    {
        return (name, reason);
    }
    (
        name,
        result.split_once(", ").map_or("", |(_, reason)| reason),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_line_is_parsed() {
        let parse =
            |line| CaseOutcome::parse(line).map(|case| (case.name, case.state, case.reason));
        let case =
            |name: &str, state, reason: &str| Some((name.to_owned(), state, reason.to_owned()));
        assert_eq!(
            parse("test lock::is_free ... ok"),
            case("lock::is_free", CaseState::Passed, "")
        );
        assert_eq!(
            parse("test a          ... FAILED"),
            case("a", CaseState::Failed, "")
        );
        assert_eq!(
            parse("test [left out: no barrier] stop::drop ... ignored"),
            case("stop::drop", CaseState::Skipped, "no barrier")
        );
        assert_eq!(
            parse("test sqlite::index (left out: there is none (yet))   ... ignored"),
            case("sqlite::index", CaseState::Skipped, "there is none (yet)")
        );
        assert_eq!(
            parse("test b ... ignored, too slow"),
            case("b", CaseState::Skipped, "too slow")
        );
        assert_eq!(parse("test result: ok. 1 passed; 0 failed"), None);
        assert_eq!(parse("running 3 tests"), None);
    }
}
