//! Tests whether a server is ready, with a query by the program under test.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use lockage_testkit::TestError;
use tempfile::TempDir;

use crate::command::run_with_timeout;

/// The exit codes of `check` after it has read the history: nothing is pending, and something is pending.
const HISTORY_READ: [Option<i32>; 2] = [Some(0), Some(3)];

/// Queries servers with `lockage check`.
pub(crate) struct Probe {
    program: Option<PathBuf>,
    folder: TempDir,
}

impl Probe {
    /// Creates a probe. `program` is `None` if no cell has a server.
    pub(crate) fn new(program: Option<PathBuf>) -> Result<Self, TestError> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("V1__probe.sql"), "SELECT 1;\n")?;
        Ok(Self { program, folder })
    }

    /// Runs one query at `url`.
    pub(crate) fn query(&self, url: &str) -> Result<(), TestError> {
        let program = self
            .program
            .as_ref()
            .ok_or("the program under test is not built")?;
        let mut command = Command::new(program);
        command
            .args(["--no-color", "--url", url, "--dir"])
            .arg(self.folder.path())
            .arg("check")
            .current_dir(self.folder.path());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("LOCKAGE_") || text == "DATABASE_URL" {
                command.env_remove(name);
            }
        }
        let output = run_with_timeout(&mut command, Duration::from_secs(60))?;
        if HISTORY_READ.contains(&output.status.code()) {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr)
            .trim()
            .to_owned()
            .into())
    }
}
