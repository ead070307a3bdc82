use std::path::PathBuf;

use clap::Parser;

/// Run the conformance suite and the end-to-end tests on every available engine
#[derive(Debug, Clone, Parser)]
#[command(name = "test-matrix")]
pub struct Arguments {
    /// Run only these cells: `postgres`, `postgres:18`, `postgres:18:advisory`, `workspace` (tests that need no engine)
    #[arg(long, value_delimiter = ',', value_name = "ENGINE[:VERSION[:LOCK]]")]
    pub engine: Vec<String>,
    /// Run only these versions
    #[arg(long, value_delimiter = ',', value_name = "VERSION")]
    pub version: Vec<String>,
    /// Skip these cells
    #[arg(long, value_delimiter = ',', value_name = "ENGINE[:VERSION[:LOCK]]")]
    pub without: Vec<String>,
    /// Fail if one of these cells is not available
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "ENGINE[:VERSION[:LOCK]]|all"
    )]
    pub require: Vec<String>,
    /// Run only cases whose name contains this text
    #[arg(long, value_name = "PATTERN")]
    pub case: Option<String>,
    /// Number of processes in a race
    #[arg(long, default_value_t = 16)]
    pub replicas: usize,
    /// Number of rounds of a race
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Also run the suites that kill processes and servers, freeze them, and cut connections
    #[arg(long)]
    pub faults: bool,
    /// Seed for the random moments of faults, to repeat an earlier run
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Keep the servers running and print their URLs
    #[arg(long)]
    pub keep: bool,
    /// List the cells with their sources and run nothing
    #[arg(long)]
    pub list: bool,
    /// Print the cells in a machine-readable format and run nothing
    #[arg(long, value_name = "FORMAT", value_parser = ["json"])]
    pub plan: Option<String>,
    /// Write an HTML report with a timeline of each race
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
    /// Returns whether `--engine` and `--version` select a cell.
    pub(crate) fn selects(&self, matches: impl Fn(&str) -> bool, version: &str) -> bool {
        (self.engine.is_empty() || self.engine.iter().any(|filter| matches(filter)))
            && (self.version.is_empty() || self.version.iter().any(|wanted| wanted == version))
    }
}
