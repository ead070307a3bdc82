//! What the matrix prints at its end.

/// How a cell ended.
pub(crate) enum Outcome {
    /// Its tests passed; where its engine came from.
    Passed(String),
    /// Its engine can be had; from where.
    Found(String),
    /// Its tests failed, or it was required and is not there.
    Failed(String),
    /// Its engine cannot be had.
    Skipped(String),
}

const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const PLAIN: &str = "\x1b[0m";

pub(crate) fn print(rows: &[(String, Outcome)]) {
    println!();
    for (name, outcome) in rows {
        let (colour, word, text) = match outcome {
            Outcome::Passed(source) => (GREEN, "passed", source),
            Outcome::Found(source) => (GREEN, "there", source),
            Outcome::Failed(reason) => (RED, "FAILED", reason),
            Outcome::Skipped(reason) => (RED, "SKIPPED", reason),
        };
        println!("{name:<12} {colour}{word:<8}{PLAIN} {text}");
    }
}
