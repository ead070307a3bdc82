//! A process that holds the lock.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};

use lockage_mysql::lockage_core::{LockKey, Locked, MigrationSet, NoObserver, PlanOptions, plan};
use lockage_test_matrix::engine::NetworkNamespace;
use lockage_testkit::TestError;
use rustix::process::{Pid, Signal, kill_process};

use crate::lock_client::{connect, lock};
use crate::trial::block_on;

/// The hidden argument of the process.
pub(crate) const CHILD: &str = "--hold";

/// A process that holds the lock, as its parent sees it.
pub(crate) struct HolderProcess {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl HolderProcess {
    /// Starts the process in a network namespace, and waits until it holds the lock.
    pub(crate) fn start_in(
        namespace: &NetworkNamespace,
        url: &str,
        script: &str,
    ) -> Result<Self, TestError> {
        let [program, arguments @ ..] = namespace.exec_prefix();
        let mut command = Command::new(program);
        command.args(arguments).arg(std::env::current_exe()?);
        // The server's certificate is not issued for that address.
        let url = format!("{}?ssl-mode=disabled", namespace.guest_url(url));
        Self::start(command, &url, script)
    }

    /// Starts the process, and waits until it holds the lock.
    pub(crate) fn start(mut command: Command, url: &str, script: &str) -> Result<Self, TestError> {
        let mut process = command
            .arg(CHILD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut input = process.stdin.take().ok_or("no pipe")?;
        let output = BufReader::new(process.stdout.take().ok_or("no pipe")?);
        writeln!(input, "{url}\n{script}")?;
        let mut holder = Self {
            process,
            input,
            output,
        };
        match holder.read_line()?.as_str() {
            "locked" => Ok(holder),
            line => Err(format!("the holder did not acquire the lock: {line}").into()),
        }
    }

    /// Makes the process run its script.
    pub(crate) fn run_script(&mut self) -> Result<(), TestError> {
        Ok(writeln!(self.input, "run")?)
    }

    /// Reads a line of the process's output.
    pub(crate) fn read_line(&mut self) -> Result<String, TestError> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<(), TestError> {
        let pid = Pid::from_raw(i32::try_from(self.process.id())?).ok_or("no process")?;
        Ok(kill_process(pid, signal)?)
    }

    pub(crate) fn kill(mut self) -> Result<(), TestError> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for HolderProcess {
    fn drop(&mut self) {
        // The process has ended, unless the test failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Acquires the lock, and runs the script when the parent sends a line.
pub(crate) fn run_as_child() -> ExitCode {
    let (Some(url), Some(script)) = (read_input_line(), read_input_line()) else {
        return ExitCode::FAILURE;
    };
    let result = block_on(1, async {
        let mut locked = lock(connect(&url).await?, &LockKey::default()).await?;
        writeln!(std::io::stdout(), "locked")?;
        // The keep-alive task runs in the meantime.
        tokio::task::spawn_blocking(read_input_line).await?;
        Ok(match apply(&mut locked, &script).await {
            Ok(()) => "done".into(),
            Err(error) => format!("{:?}: {error}", error.kind()),
        })
    });
    let line = result.unwrap_or_else(|failure| format!("{failure:?}"));
    // If the parent does not read any more, the test has ended.
    let _ = writeln!(std::io::stdout(), "{}", line.replace('\n', " "));
    ExitCode::SUCCESS
}

fn read_input_line() -> Option<String> {
    std::io::stdin().lines().next()?.ok()
}

async fn apply(locked: &mut Locked, script: &str) -> lockage_mysql::lockage_core::Result<()> {
    let set = MigrationSet::from_texts([("V1__a.sql", script)])?;
    locked.ensure_history().await?;
    let plan = plan::plan_up(&set, &locked.history().await?, &PlanOptions::default())?;
    for step in &plan.steps {
        locked.apply(step, &NoObserver).await?;
    }
    Ok(())
}
