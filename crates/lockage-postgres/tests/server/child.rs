//! This program as another process: one that waits, holds, freezes, vanishes.

use std::io::Write;
use std::process::{ExitCode, Stdio};

use lockage_core::{
    TryLock, ConnectOptions, LockKey, LockStrategy, LockWait, MigrationSet, NoObserver,
    PlanOptions, Registry, plan,
};
use lockage_postgres::BACKEND;
use lockage_testkit::TestError;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};

use crate::place::runner;

/// What stands before the part that a process plays.
const MARK: &str = "--as";

/// The parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Migrates; says how that ended.
    Up,
    /// Takes the lock, says so, waits for a line, migrates, says how that ended.
    Hold,
    /// The same with a lock in a table.
    HoldRow,
}

impl Part {
    const ALL: [(Self, &str); 3] = [
        (Self::Up, "up"),
        (Self::Hold, "hold"),
        (Self::HoldRow, "hold-row"),
    ];

    fn word(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find(|(part, _)| *part == self)
            .map_or("", |(_, word)| word)
    }
}

/// A process that plays a part; killed when dropped.
pub(crate) struct Child {
    process: tokio::process::Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts one that migrates with these scripts. `through` stands before the program's name: what runs it elsewhere.
    pub(crate) fn start(
        through: &[&str],
        part: Part,
        url: &str,
        scripts: &[&str],
    ) -> Result<Self, TestError> {
        let program = std::env::current_exe()?;
        let mut command = match through {
            [] => Command::new(program),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        let mut process = command
            .args([MARK, part.word(), url])
            .args(scripts)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self {
            input: process.stdin.take().ok_or("no input")?,
            output: BufReader::new(process.stdout.take().ok_or("no output")?).lines(),
            process,
        })
    }

    /// The next line that it says.
    pub(crate) async fn says(&mut self) -> Result<String, TestError> {
        Ok(self
            .output
            .next_line()
            .await?
            .ok_or("it ended without a word")?)
    }

    pub(crate) async fn go_on(&mut self) -> Result<(), TestError> {
        Ok(self.input.write_all(b"\n").await?)
    }

    /// Sends it a signal, by its name.
    pub(crate) async fn signal(&self, name: &str) -> Result<(), TestError> {
        let pid = self.process.id().ok_or("it has ended")?;
        let sent = Command::new("kill")
            .args(["-s", name, &pid.to_string()])
            .status()
            .await?;
        if !sent.success() {
            return Err(format!("kill -s {name}: {sent}").into());
        }
        Ok(())
    }
}

/// Plays a part, where this process was started for one.
pub(crate) fn play(args: &[String]) -> Option<ExitCode> {
    let [_, mark, word, url, scripts @ ..] = args else {
        return None;
    };
    if mark != MARK {
        return None;
    }
    let (part, _) = Part::ALL.into_iter().find(|(_, other)| other == word)?;
    let played = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(TestError::from)
        .and_then(|runtime| runtime.block_on(act(part, url, scripts)));
    let _ = match played {
        Ok(()) => say("done"),
        Err(failure) => say(&failure.to_string().replace('\n', " ")),
    };
    Some(ExitCode::SUCCESS)
}

async fn act(part: Part, url: &str, scripts: &[String]) -> Result<(), TestError> {
    let names: Vec<String> = (1..=scripts.len())
        .map(|n| format!("V{n}__a.sql"))
        .collect();
    let files: Vec<(&str, &str)> = names
        .iter()
        .zip(scripts)
        .map(|(name, script)| (name.as_str(), script.as_str()))
        .collect();
    if part == Part::Up {
        let runner = runner(url, &files)?.wait(LockWait::Forever);
        return match runner.up().await {
            Ok(report) => Ok(say(report.outcome.as_str())?),
            Err(error) => Err(format!("{}: {error}", error.kind()).into()),
        };
    }
    let mut options = ConnectOptions::new(url)?;
    if part == Part::HoldRow {
        options.lock_strategy = LockStrategy::Table;
    }
    let session = Registry::default().with(BACKEND)?.connect(&options).await?;
    let TryLock::Acquired(mut locked) = session.try_lock(&LockKey::default()).await? else {
        return Err("the lock is held".into());
    };
    locked.ensure_history().await?;
    say("locked")?;
    let mut line = String::new();
    // Whatever else is to go on does so on the runtime's own thread.
    std::io::stdin().read_line(&mut line)?;
    let set = MigrationSet::from_texts(files)?;
    let steps = plan::plan(&set, &locked.history().await?, &PlanOptions::default());
    for step in steps?.steps {
        if let Err(error) = locked.apply(&step, &NoObserver).await {
            return Err(format!("{}: {error}", error.kind()).into());
        }
    }
    locked.release().await?;
    Ok(())
}

fn say(line: &str) -> Result<(), TestError> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
