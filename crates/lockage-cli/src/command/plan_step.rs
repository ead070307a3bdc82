//! One step of a plan, as text and JSON.

use std::io::{self, Write};

use lockage::status::{MigrationEntry, MigrationStatus};
use lockage::{Action, Backend, History, Kind, Migration, State, Step};
use serde::ser::{Error as _, SerializeSeq};
use serde::{Serialize, Serializer};

use crate::output::json::PendingJson;

#[derive(Serialize)]
pub(super) struct StepJson {
    version: Option<String>,
    name: String,
    kind: &'static str,
    action: &'static str,
    file: String,
    why: String,
    transaction: bool,
    /// The file has the directive `no-transaction`.
    #[serde(skip)]
    disables_transaction: bool,
    statements: StatementsJson,
}

/// The statements of a script. They are read from the script on each use, since a script may be larger than memory.
struct StatementsJson {
    backend: Backend,
    step: Step,
    /// The number of statements that an earlier run committed.
    committed: u32,
}

#[derive(Serialize)]
struct StatementJson<'a> {
    line: u32,
    sql: &'a str,
    done: bool,
}

impl StepJson {
    pub(super) fn new(
        backend: Backend,
        step: &Step,
        entries: &[MigrationEntry],
        history: &History,
    ) -> Self {
        let migration = &step.migration;
        let entry = entries.iter().find(|entry| {
            let file = entry.migration.as_ref().map(|other| other.file());
            file == Some(migration.file())
        });
        let allows_transaction = migration.directives().transaction;
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
                Action::Undo => undo_reason(migration, history),
                _ => entry.map(reason).unwrap_or_default(),
            },
            transaction: allows_transaction && backend.capabilities().transactional_ddl,
            disables_transaction: !allows_transaction,
            statements: StatementsJson {
                backend,
                step: step.clone(),
                committed: entry.map_or(0, committed_statements),
            },
        }
    }

    pub(super) fn to_pending(&self) -> PendingJson {
        PendingJson {
            version: self.version.clone(),
            name: self.name.clone(),
        }
    }

    pub(super) fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let mode = match (self.transaction, self.disables_transaction) {
            (true, _) => "in one transaction",
            (false, true) => "statement by statement, without a transaction",
            (false, false) => "statement by statement: the engine commits each DDL statement",
        };
        let title = match &self.version {
            Some(version) => format!("{version} {}", self.name),
            None => self.name.clone(),
        };
        writeln!(out, "{title} ({})", self.kind)?;
        writeln!(out, "  why: {}", self.why)?;
        writeln!(out, "  how: {mode}")?;
        let mut written = Ok(());
        self.statements
            .for_each(|statement| {
                if written.is_ok() {
                    written = statement.write_text(out, &self.file);
                }
            })
            .map_err(io::Error::other)?;
        written?;
        writeln!(out)
    }
}

/// Returns the number of statements that an earlier run committed.
fn committed_statements(entry: &MigrationEntry) -> u32 {
    match (entry.status, &entry.row) {
        (MigrationStatus::Failed | MigrationStatus::Running, Some(row)) => row.statements_done,
        _ => 0,
    }
}

/// Returns why a run would apply a migration.
fn reason(entry: &MigrationEntry) -> String {
    let with_progress = |text: &str| match &entry.row {
        Some(row) if row.statements_done == 0 => format!("{text}; no statement is committed"),
        Some(row) => format!(
            "{text}; {} of {} statements are committed; resuming after them",
            row.statements_done, row.statements_total
        ),
        None => text.to_owned(),
    };
    match (entry.status, &entry.row) {
        (MigrationStatus::Running, _) => with_progress("started and not finished"),
        (MigrationStatus::Failed, _) => with_progress("failed before"),
        (_, Some(row)) if row.state == State::Undone => "undone before".to_owned(),
        (MigrationStatus::Pending, Some(_)) => "changed since it was applied".to_owned(),
        (MigrationStatus::Pending, None) if entry.kind == Kind::Baseline => {
            "a fresh database starts here".to_owned()
        }
        (MigrationStatus::OutOfOrder, _) => {
            "not applied yet, and older than an applied one".to_owned()
        }
        _ => "not applied yet".to_owned(),
    }
}

/// Returns when and by whom the migration of an undo script was applied.
fn undo_reason(undo: &Migration, history: &History) -> String {
    let row = history
        .rows
        .iter()
        .find(|row| row.parsed_version().as_ref() == undo.version());
    match row {
        Some(row) => format!("applied {} by {}", row.applied_at, row.applied_by),
        None => String::new(),
    }
}

impl StatementsJson {
    /// Reads the script and calls `handle` with each statement.
    fn for_each(&self, mut handle: impl FnMut(StatementJson<'_>)) -> lockage::Result<()> {
        let mut index = 0;
        let migration = &self.step.migration;
        self.backend.check_script(migration, &mut |statement| {
            handle(StatementJson {
                line: statement.line,
                sql: statement.text,
                done: index < self.committed,
            });
            index += 1;
        })
    }
}

impl Serialize for StatementsJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(None)?;
        let mut written = Ok(());
        self.for_each(|statement| {
            if written.is_ok() {
                written = seq.serialize_element(&statement);
            }
        })
        .map_err(S::Error::custom)?;
        written?;
        seq.end()
    }
}

impl StatementJson<'_> {
    fn write_text(&self, out: &mut dyn Write, file: &str) -> io::Result<()> {
        let done = if self.done {
            " (already committed)"
        } else {
            ""
        };
        writeln!(out, "  {file}:{}{done}", self.line)?;
        let mut lines = self.sql.trim().lines();
        lines.try_for_each(|line| writeln!(out, "    {line}"))
    }
}

#[cfg(all(test, feature = "mysql", feature = "postgres"))]
mod tests {
    use super::*;
    use lockage::status::compare;
    use lockage::{MigrationSet, PlanOptions, plan};

    fn plan_text(backend: Backend, script: &str) -> String {
        let set = MigrationSet::from_texts([("V1__a.sql", script)]).unwrap();
        let history = History::default();
        let plan = plan::plan_up(&set, &history, &PlanOptions::default()).unwrap();
        let entries = compare(&set, &history);
        let mut text = Vec::new();
        StepJson::new(backend, &plan.steps[0], &entries, &history)
            .write_text(&mut text)
            .unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn plan_shows_whether_the_engine_uses_a_transaction() {
        let (postgres, mysql) = (lockage::postgres::BACKEND, lockage::mysql::BACKEND);
        let default = "CREATE TABLE a (id int);\n";
        let disabled = "-- lockage: no-transaction\nCREATE TABLE a (id int);\n";
        for (backend, script, mode) in [
            (postgres, default, "  how: in one transaction\n"),
            (
                postgres,
                disabled,
                "  how: statement by statement, without a transaction\n",
            ),
            (
                mysql,
                default,
                "  how: statement by statement: the engine commits each DDL statement\n",
            ),
            (
                mysql,
                disabled,
                "  how: statement by statement, without a transaction\n",
            ),
        ] {
            let text = plan_text(backend, script);
            assert!(text.contains(mode), "{text}");
        }
    }
}
