//! A process that migrates, as one of many replicas.

use std::fs;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use lockage_mysql::lockage_core::{Event, Observer};
use lockage_testkit::{TestError, unique_name};

use crate::runner::runner;
use crate::sample_migrations::FILES;
use crate::trial::block_on;

/// The hidden argument of a replica.
pub(crate) const CHILD: &str = "--replica";

/// A replica, as its parent sees it.
pub(crate) struct Replica {
    process: Child,
}

impl Replica {
    /// Starts the process. It waits for [`run`](Self::run) before it migrates.
    pub(crate) fn start(url: &str, folder: &Path) -> Result<Self, TestError> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg(CHILD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        writeln!(
            process.stdin.as_mut().ok_or("no pipe")?,
            "{url}\n{}",
            folder.display()
        )?;
        Ok(Self { process })
    }

    /// Makes the process migrate.
    pub(crate) fn run(&mut self) -> Result<(), TestError> {
        Ok(writeln!(
            self.process.stdin.as_mut().ok_or("no pipe")?,
            "run"
        )?)
    }

    /// Waits for the end of the process, and returns `ok` or its error.
    pub(crate) fn wait(&mut self) -> Result<String, TestError> {
        let mut result = String::new();
        std::io::BufReader::new(self.process.stdout.take().ok_or("no pipe")?)
            .read_line(&mut result)?;
        self.process.wait()?;
        Ok(result.trim().to_owned())
    }

    /// Kills the process. Returns whether it was still running.
    pub(crate) fn kill(&mut self) -> Result<bool, TestError> {
        let was_running = self.process.try_wait()?.is_none();
        self.process.kill()?;
        self.process.wait()?;
        Ok(was_running)
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        // The process has ended, unless the test failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Migrates when the parent sends a line, and prints `ok` or the error.
pub(crate) fn run_as_child() -> ExitCode {
    let mut lines = std::io::stdin().lock().lines().map_while(Result::ok);
    let (Some(url), Some(folder), Some(_)) = (lines.next(), lines.next(), lines.next()) else {
        return ExitCode::FAILURE;
    };
    let result = block_on(1, async {
        let detector = OverlapDetector {
            folder: folder.into(),
            holds: AtomicBool::new(false),
        };
        Ok(runner(&url, FILES)?.observer(detector).up().await?)
    });
    let line = match result {
        Ok(_) => "ok".into(),
        Err(failure) => format!("{failure:?}").replace('\n', " "),
    };
    // If the parent does not read any more, the test has ended.
    let _ = writeln!(std::io::stdout(), "{line}");
    ExitCode::SUCCESS
}

/// A folder for the files of [`OverlapDetector`]s.
pub(crate) struct ScratchDir(PathBuf);

impl ScratchDir {
    pub(crate) fn new() -> Result<Self, TestError> {
        let folder = std::env::temp_dir().join(unique_name("lockage-galera"));
        fs::create_dir(&folder)?;
        Ok(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Returns whether two replicas held the lock at the same time.
    pub(crate) fn has_overlap(&self) -> bool {
        self.0.join("overlap").exists()
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        // A folder that stays does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Creates a file while its replica holds the lock, and another one if the first already exists.
struct OverlapDetector {
    folder: PathBuf,
    holds: AtomicBool,
}

impl Observer for OverlapDetector {
    fn on_event(&self, event: &Event<'_>) {
        match event {
            Event::Locked { steps, .. } if *steps > 0 => {
                self.holds.store(true, Ordering::SeqCst);
                if fs::File::create_new(self.folder.join("holder")).is_err() {
                    let _ = fs::write(self.folder.join("overlap"), "");
                }
            }
            Event::Releasing { .. } if self.holds.swap(false, Ordering::SeqCst) => {
                let _ = fs::remove_file(self.folder.join("holder"));
            }
            _ => {}
        }
    }
}
