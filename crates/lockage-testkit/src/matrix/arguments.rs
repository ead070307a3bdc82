use std::path::PathBuf;

use clap::Parser;

/// Run the conformance suite and the races on every engine that can be had
#[derive(Debug, Clone, Parser)]
#[command(name = "test-matrix")]
pub struct Arguments {
    /// Run only these: `postgres`, `postgres:18`, `postgres:18:advisory`, `workspace` (the tests that need no engine)
    #[arg(long, value_delimiter = ',', value_name = "ENGINE[:VERSION[:LOCK]]")]
    pub engine: Vec<String>,
    /// Run only these versions
    #[arg(long, value_delimiter = ',', value_name = "VERSION")]
    pub version: Vec<String>,
    /// Leave these out; they are shown as skipped
    #[arg(long, value_delimiter = ',', value_name = "ENGINE[:VERSION[:LOCK]]")]
    pub without: Vec<String>,
    /// Fail when one of these cannot be had
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "ENGINE[:VERSION[:LOCK]]|all"
    )]
    pub require: Vec<String>,
    /// Run only the cases whose name holds this text
    #[arg(long, value_name = "PATTERN")]
    pub case: Option<String>,
    /// How many processes a race starts
    #[arg(long, default_value_t = 16)]
    pub replicas: usize,
    /// How often a race is run
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Kill, freeze and cut: also run the suites that do harm
    #[arg(long)]
    pub faults: bool,
    /// Repeat the random moments of an earlier run
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Leave the servers running, and say where they are
    #[arg(long)]
    pub keep: bool,
    /// List the cells and where each would come from, and run nothing
    #[arg(long)]
    pub list: bool,
    /// Print the cells for a program, and run nothing
    #[arg(long, value_name = "FORMAT", value_parser = ["json"])]
    pub plan: Option<String>,
    /// Write a page with a timeline of each race
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// Write the results as JUnit XML
    #[arg(long, value_name = "FILE.xml")]
    pub junit: Option<PathBuf>,
    /// Write the results as JSON
    #[arg(long, value_name = "FILE.json")]
    pub json: Option<PathBuf>,
}

impl Arguments {
    pub(super) fn chosen(&self, means: impl Fn(&str) -> bool, version: &str) -> bool {
        (self.engine.is_empty() || self.engine.iter().any(|name| means(name)))
            && (self.version.is_empty() || self.version.iter().any(|one| one == version))
    }
}
