//! How cells ended.

use serde::Serialize;
use serde_json::Value;

/// How a cell ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Passed,
    /// Something failed, or the cell was required and cannot be had.
    Failed,
    /// It cannot be had, or was left out.
    Skipped,
    /// It can be had; nothing was run.
    There,
}

/// A cell and all that became of it.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) engine: String,
    pub(super) version: String,
    pub(super) lock: String,
    pub(super) verdict: Verdict,
    /// Where the engine came from, or why there is none.
    pub(super) source: String,
    pub(super) seconds: f64,
    pub(super) suites: Vec<SuiteOutcome>,
    /// What the races told of their processes, for the timelines.
    #[serde(skip)]
    pub(super) races: Vec<Value>,
}

/// A suite in a cell.
#[derive(Debug, Serialize)]
pub(super) struct SuiteOutcome {
    pub(super) name: String,
    pub(super) passed: bool,
    pub(super) seconds: f64,
    pub(super) cases: Vec<CaseOutcome>,
    /// What it printed, when it failed.
    pub(super) said: String,
}

/// A case in a suite.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(super) struct CaseOutcome {
    pub(super) name: String,
    pub(super) state: CaseState,
    /// Why it was left out.
    pub(super) reason: String,
}

#[derive(Debug, Clone, Copy, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum CaseState {
    Passed,
    Failed,
    LeftOut,
}

impl Outcome {
    pub(super) fn count(&self, state: CaseState) -> usize {
        self.suites.iter().map(|suite| suite.count(state)).sum()
    }
}

impl SuiteOutcome {
    /// One that was not run.
    pub(super) fn left_out(name: &str, reason: &str) -> Self {
        let case = CaseOutcome {
            name: name.to_owned(),
            state: CaseState::LeftOut,
            reason: reason.to_owned(),
        };
        Self {
            name: name.to_owned(),
            passed: true,
            seconds: 0.0,
            cases: vec![case],
            said: String::new(),
        }
    }

    /// One that could not begin.
    pub(super) fn failed(name: &str, said: String) -> Self {
        Self {
            name: name.to_owned(),
            passed: false,
            seconds: 0.0,
            cases: Vec::new(),
            said,
        }
    }

    pub(super) fn count(&self, state: CaseState) -> usize {
        self.cases.iter().filter(|case| case.state == state).count()
    }
}

impl CaseOutcome {
    /// Reads a line of a test program: `test [left out: why] name … ok`.
    pub(super) fn read(line: &str) -> Option<Self> {
        let (name, word) = line
            .trim_end()
            .strip_prefix("test ")?
            .rsplit_once(" ... ")?;
        let state = match word.split([',', ' ']).next()? {
            "ok" => CaseState::Passed,
            "FAILED" => CaseState::Failed,
            "ignored" => CaseState::LeftOut,
            _ => return None,
        };
        let name = name.trim();
        let (reason, name) = match name
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("] "))
        {
            Some((kind, name)) => (kind.trim_start_matches("left out: "), name),
            None => match name
                .strip_suffix(')')
                .and_then(|name| name.split_once(" (left out: "))
            {
                Some((name, reason)) => (reason, name),
                None => (word.split_once(", ").map_or("", |(_, why)| why), name),
            },
        };
        Some(Self {
            name: name.trim().to_owned(),
            state,
            reason: reason.trim().to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_test_programs_are_read() {
        let read = |line| CaseOutcome::read(line).map(|case| (case.name, case.state, case.reason));
        let case =
            |name: &str, state, reason: &str| Some((name.to_owned(), state, reason.to_owned()));
        assert_eq!(
            read("test lock::is_free ... ok"),
            case("lock::is_free", CaseState::Passed, "")
        );
        assert_eq!(
            read("test a          ... FAILED"),
            case("a", CaseState::Failed, "")
        );
        assert_eq!(
            read("test [left out: no gate] stop::at_once ... ignored"),
            case("stop::at_once", CaseState::LeftOut, "no gate")
        );
        assert_eq!(
            read("test sqlite::index (left out: there is none (yet))   ... ignored"),
            case("sqlite::index", CaseState::LeftOut, "there is none (yet)")
        );
        assert_eq!(
            read("test b ... ignored, too slow"),
            case("b", CaseState::LeftOut, "too slow")
        );
        assert_eq!(read("test result: ok. 1 passed; 0 failed"), None);
        assert_eq!(read("running 3 tests"), None);
    }
}
