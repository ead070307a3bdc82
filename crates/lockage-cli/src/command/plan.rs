use std::io::{self, Write};

use lockage::status::{MigrationEntry, MigrationStatus, survey};
use lockage::{Action, Backend, Error, History, Migration, Plan, PlanOptions, State, Step, plan};
use serde::ser::{Error as _, SerializeSeq};
use serde::{Serialize, Serializer};

use super::target::Target;
use super::up::ahead;
use super::{Answered, json_line};
use crate::args::PlanArgs;
use crate::config::Settings;
use crate::output::json::Pending;
use crate::output::text::count;
use crate::output::{Answer, Output, Style};

pub(super) fn run(args: &PlanArgs, settings: &Settings, output: &Output) -> Answered {
    let options = settings.plan_options(args.plan.to.clone(), args.plan.steps);
    show(&Target::new(settings, output)?, options, Way::Up)
}

/// Which way a plan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Up,
    Down,
}

/// Shows what a run would do. Takes no lock and writes nothing.
pub(super) fn show(target: &Target<'_>, options: PlanOptions, way: Way) -> Answered {
    let history = target.run(PlanOptions::default(), async |runner| {
        match runner.history().await {
            // What the run would make is empty.
            Err(error) if error.is_database_missing() && target.settings.create => {
                Ok(History::default())
            }
            history => history,
        }
    })?;
    let plan = match way {
        Way::Up => plan::plan(&target.set, &history, &options)?,
        Way::Down => plan::plan_down(&target.set, &history, &options)?,
    };
    let mistakes = plan
        .steps
        .iter()
        .filter_map(|step| target.backend.check_script(&step.migration, &mut |_| {}).err());
    if let Some(error) = Error::combine(mistakes) {
        return Err(error);
    }
    let entries = survey(&target.set, &history);
    Ok(Box::new(Shown::of(target, &plan, &entries, &history, way)))
}

#[derive(Serialize)]
struct Shown {
    outcome: &'static str,
    steps: Vec<Planned>,
    applied: [(); 0],
    pending: Vec<Pending>,
    future: Vec<String>,
    waited_ms: u64,
    took_lock: bool,
    lock: String,
    database: String,
    error: Option<()>,
    #[serde(skip)]
    way: Way,
}

#[derive(Serialize)]
struct Planned {
    version: Option<String>,
    name: String,
    kind: &'static str,
    action: &'static str,
    file: String,
    why: String,
    transaction: bool,
    /// Whether it is the file that wants no transaction, rather than the engine that has none for it.
    #[serde(skip)]
    asked_for_none: bool,
    statements: Statements,
}

/// The statements of a script, read from it anew each time: a script may be larger than memory.
struct Statements {
    backend: Backend,
    step: Step,
    /// How many of them an earlier run has committed.
    done: u32,
}

#[derive(Serialize)]
struct Statement<'a> {
    line: u32,
    sql: &'a str,
    done: bool,
}

impl Shown {
    fn of(
        target: &Target<'_>,
        plan: &Plan,
        entries: &[MigrationEntry],
        history: &History,
        way: Way,
    ) -> Self {
        let steps: Vec<Planned> = plan
            .steps
            .iter()
            .map(|step| Planned::of(target.backend, step, entries, history))
            .collect();
        let pending = |planned: &Planned| Pending {
            version: planned.version.clone(),
            name: planned.name.clone(),
        };
        Self {
            outcome: if steps.is_empty() {
                "up_to_date"
            } else {
                "pending"
            },
            pending: match way {
                Way::Up => steps.iter().map(pending).collect(),
                Way::Down => Vec::new(),
            },
            steps,
            applied: [],
            future: plan.future.clone(),
            waited_ms: 0,
            took_lock: false,
            lock: target.settings.lock.to_string(),
            database: target.database(),
            error: None,
            way,
        }
    }
}

impl Planned {
    fn of(backend: Backend, step: &Step, entries: &[MigrationEntry], history: &History) -> Self {
        let migration = &step.migration;
        let entry = entries.iter().find(|entry| {
            let same = |other: &Migration| other.file() == migration.file();
            entry.migration.as_ref().is_some_and(|other| same(other))
        });
        Self {
            version: migration.version().map(ToString::to_string),
            name: migration.name().to_owned(),
            kind: migration.kind().as_str(),
            action: match step.action {
                Action::Undo => "undo",
                Action::MarkApplied => "record",
                Action::DeleteRow => "forget",
                _ => "run",
            },
            file: migration.file().to_owned(),
            why: match step.action {
                Action::Undo => applied(migration, history),
                _ => entry.map(why).unwrap_or_default(),
            },
            transaction: migration.directives().transaction
                && backend.capabilities().transactional_ddl,
            asked_for_none: !migration.directives().transaction,
            statements: Statements {
                backend,
                step: step.clone(),
                done: entry.map_or(0, committed),
            },
        }
    }
}

/// How many statements an earlier run has committed.
fn committed(entry: &MigrationEntry) -> u32 {
    match (entry.standing, &entry.row) {
        (MigrationStatus::Failed | MigrationStatus::Running, Some(row)) => row.statements_done,
        _ => 0,
    }
}

fn why(entry: &MigrationEntry) -> String {
    let done = |what: &str| match &entry.row {
        Some(row) if row.statements_done == 0 => format!("{what}; nothing of it is committed"),
        Some(row) => format!(
            "{what}; {} of {} statements are committed, and it goes on behind them",
            row.statements_done, row.statements_total
        ),
        None => what.to_owned(),
    };
    match (entry.standing, &entry.row) {
        (MigrationStatus::Running, _) => done("begun and not finished"),
        (MigrationStatus::Failed, _) => done("failed before"),
        (_, Some(row)) if row.state == State::Undone => "undone before".to_owned(),
        (MigrationStatus::Pending, Some(_)) => "changed since it was applied".to_owned(),
        (MigrationStatus::Pending, None) if entry.kind == lockage::Kind::Baseline => {
            "a fresh database starts here".to_owned()
        }
        (MigrationStatus::OutOfOrder, _) => "not applied yet, and older than an applied one".to_owned(),
        _ => "not applied yet".to_owned(),
    }
}

fn applied(undo: &Migration, history: &History) -> String {
    let row = history
        .rows
        .iter()
        .find(|row| row.parsed_version().as_ref() == undo.version());
    match row {
        Some(row) => format!("applied {} by {}", row.applied_at, row.applied_by),
        None => String::new(),
    }
}

impl Statements {
    fn each(&self, mut each: impl FnMut(Statement<'_>)) -> lockage::Result<()> {
        let mut index = 0;
        self.backend
            .check_script(&self.step.migration, &mut |statement| {
                each(Statement {
                    line: statement.line,
                    sql: statement.text,
                    done: index < self.done,
                });
                index += 1;
            })
    }
}

impl Serialize for Statements {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(None)?;
        let mut written = Ok(());
        self.each(|statement| {
            if written.is_ok() {
                written = seq.serialize_element(&statement);
            }
        })
        .map_err(S::Error::custom)?;
        written?;
        seq.end()
    }
}

impl Answer for Shown {
    fn is_asked_for(&self) -> bool {
        true
    }

    fn write_text(&self, out: &mut dyn Write, _: Style) -> io::Result<()> {
        for planned in &self.steps {
            planned.write_text(out)?;
        }
        let (what, database) = (count(self.steps.len(), "migration"), &self.database);
        match (self.way, self.steps.is_empty()) {
            (Way::Up, true) => writeln!(out, "{database} is up to date")?,
            (Way::Up, false) => writeln!(out, "{what} to apply to {database}")?,
            (Way::Down, true) => writeln!(out, "nothing to undo in {database}")?,
            (Way::Down, false) => writeln!(out, "{what} to undo in {database}")?,
        }
        ahead(out, &self.future)
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        json_line(out, self)
    }
}

impl Planned {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let how = match (self.transaction, self.asked_for_none) {
            (true, _) => "in one transaction",
            (false, true) => "statement by statement, without a transaction",
            (false, false) => {
                "statement by statement: the engine commits what changes the schema at once"
            }
        };
        let title = match &self.version {
            Some(version) => format!("{version} {}", self.name),
            None => self.name.clone(),
        };
        writeln!(out, "{title} ({})", self.kind)?;
        writeln!(out, "  why: {}", self.why)?;
        writeln!(out, "  how: {how}")?;
        let mut written = Ok(());
        self.statements
            .each(|statement| {
                if written.is_ok() {
                    written = write_statement(out, &self.file, &statement);
                }
            })
            .map_err(io::Error::other)?;
        written?;
        writeln!(out)
    }
}

fn write_statement(out: &mut dyn Write, file: &str, statement: &Statement<'_>) -> io::Result<()> {
    let done = if statement.done {
        " (committed before)"
    } else {
        ""
    };
    writeln!(out, "  {file}:{}{done}", statement.line)?;
    statement
        .sql
        .trim()
        .lines()
        .try_for_each(|line| writeln!(out, "    {line}"))
}

#[cfg(all(test, feature = "mysql", feature = "postgres"))]
mod tests {
    use super::*;
    use lockage::MigrationSet;

    fn told(backend: Backend, script: &str) -> String {
        let set = MigrationSet::from_texts([("V1__a.sql", script)]).unwrap();
        let history = History::default();
        let plan = plan::plan(&set, &history, &PlanOptions::default()).unwrap();
        let entries = survey(&set, &history);
        let mut text = Vec::new();
        Planned::of(backend, &plan.steps[0], &entries, &history)
            .write_text(&mut text)
            .unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_transaction_is_told_where_the_engine_has_one() {
        let (postgres, mysql) = (lockage::postgres::BACKEND, lockage::mysql::BACKEND);
        let plain = "CREATE TABLE a (id int);\n";
        let apart = "-- lockage: no-transaction\nCREATE TABLE a (id int);\n";
        for (backend, script, how) in [
            (postgres, plain, "  how: in one transaction\n"),
            (
                postgres,
                apart,
                "  how: statement by statement, without a transaction\n",
            ),
            (
                mysql,
                plain,
                "  how: statement by statement: the engine commits what changes the schema at once\n",
            ),
            (
                mysql,
                apart,
                "  how: statement by statement, without a transaction\n",
            ),
        ] {
            let told = told(backend, script);
            assert!(told.contains(how), "{told}");
        }
    }
}
