//! Whether a server answers: asked with a query, by the program under test.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::command::ended;
use crate::Failure;

/// Exit codes of `check`: current, and something is pending. With both of them the history has been read.
const READ: [Option<i32>; 2] = [Some(0), Some(3)];

/// Asks by `lockage check`.
pub(super) struct Probe {
    program: Option<PathBuf>,
    folder: TempDir,
}

impl Probe {
    /// Without a program, for cells that have no server.
    pub(super) fn new(program: Option<PathBuf>) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("V1__probe.sql"), "SELECT 1;\n")?;
        Ok(Self { program, folder })
    }

    /// One query.
    pub(super) fn ask(&self, url: &str) -> Result<(), Failure> {
        let program = self.program.as_ref().ok_or("nobody can ask")?;
        let mut command = Command::new(program);
        command
            .args(["--no-color", "--url", url, "--dir"])
            .arg(self.folder.path())
            .arg("check")
            .current_dir(self.folder.path());
        for (name, _) in std::env::vars_os() {
            let shown = name.to_string_lossy();
            if shown.starts_with("LOCKAGE_") || shown == "DATABASE_URL" {
                command.env_remove(name);
            }
        }
        let done = ended(&mut command, Duration::from_secs(60))?;
        if READ.contains(&done.status.code()) {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&done.stderr)
            .trim()
            .to_owned()
            .into())
    }
}
