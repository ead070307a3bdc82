use std::io::{self, Write};

use comfy_table::Cell;
use lockage::status::{MigrationEntry, MigrationStatus};
use lockage::{Action, Kind, PlanOptions};
use serde::Serialize;

use super::status::{color, state, to_the_second, version};
use super::target::Target;
use super::{Answered, json_line};
use crate::args::{RepairArgs, Settle};
use crate::config::Settings;
use crate::output::ask::Question;
use crate::output::json::{Deed, Run};
use crate::output::redact::redact;
use crate::output::table::{colored, table};
use crate::output::text::{count, head};
use crate::output::{Answer, Output, Style};

/// How much of a statement is told.
const HEAD: usize = 200;

pub(super) fn run(args: &RepairArgs, settings: &Settings, output: &Output) -> Answered {
    let target = Target::new(settings, output)?;
    let (repairs, report) = target.run(PlanOptions::default(), async |runner| {
        let found = match args.settle {
            None => runner.repairs().await?,
            Some(answer) => runner.in_doubt(answer == Settle::Done).await?,
        };
        let repairs = Shown(
            found
                .iter()
                .map(|repair| Repair::of(repair, &target))
                .collect(),
        );
        if !args.yes {
            if repairs.0.is_empty() {
                return Ok((repairs, None));
            }
            let question = Question {
                question: format!("Repair {}?", target.database()),
                refused: "nothing was repaired",
            };
            let show = |out: &mut dyn Write, style| repairs.write_table(out, style);
            let in_words = || Some(("would_repair", repairs.in_words()));
            question
                .ask(output, &target.interrupt, show, in_words)
                .await?;
        }
        let report = runner.repair(&found).await?;
        Ok((repairs, Some(report)))
    })?;
    Ok(Box::new(Repaired {
        run: match report {
            Some(report) => Run::of(&report, Deed::Repaired),
            None => Run::idle(target.database(), settings.lock.to_string(), Deed::Repaired),
        },
        steps: repairs,
    }))
}

/// What is to be repaired, as it is shown before.
#[derive(Serialize)]
#[serde(transparent)]
struct Shown(Vec<Repair>);

#[derive(Serialize)]
struct Repair {
    version: Option<String>,
    name: String,
    kind: &'static str,
    state: &'static str,
    applied_at: Option<String>,
    applied_by: Option<String>,
    statements_done: Option<u32>,
    statements_total: Option<u32>,
    action: &'static str,
    /// The statement that was under way, where the script still has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<String>,
    #[serde(skip)]
    standing: MigrationStatus,
    /// The action in words.
    #[serde(skip)]
    what: &'static str,
}

impl Shown {
    fn in_words(&self) -> String {
        let words = self.0.iter().map(|repair| {
            let title = repair.version.as_deref().unwrap_or("repeatable");
            format!(
                "{title} {} ({}): {}",
                repair.name,
                repair.how(),
                repair.in_words()
            )
        });
        words.collect::<Vec<_>>().join("\n")
    }

    fn write_table(&self, out: &mut dyn Write, style: Style) -> io::Result<()> {
        let mut table = table(
            style,
            &["version", "name", "kind", "state", "when", "by", "repair"],
        );
        for repair in &self.0 {
            table.add_row([
                Cell::new(repair.version.as_deref().unwrap_or("")),
                Cell::new(&repair.name),
                Cell::new(repair.kind),
                colored(repair.how(), color(repair.standing)),
                Cell::new(
                    repair
                        .applied_at
                        .as_deref()
                        .map_or_else(String::new, to_the_second),
                ),
                Cell::new(repair.applied_by.as_deref().unwrap_or("")),
                Cell::new(repair.in_words()),
            ]);
        }
        writeln!(out, "{}", table.trim_fmt())
    }
}

impl Repair {
    fn of(repair: &lockage::Repair, target: &Target<'_>) -> Self {
        let (entry, action) = (&repair.entry, repair.step.action);
        let row = entry.row.as_ref();
        let (word, what) = match action {
            Action::UpdateChecksum => ("accept", "take the file as it is now for what was applied"),
            Action::ResolveApplied => (
                "settle_done",
                "the statement under way took effect; go on behind it",
            ),
            Action::ResolveNotApplied => (
                "settle_again",
                "the statement under way did not take effect; run it again",
            ),
            _ if entry.standing == MigrationStatus::Missing => ("forget", "forget it: it has no file"),
            _ => (
                "forget",
                "forget how far it came, and start again from its first statement",
            ),
        };
        Self {
            version: version(entry),
            name: entry.name.clone(),
            kind: entry.kind.as_str(),
            statement: matches!(action, Action::ResolveApplied | Action::ResolveNotApplied)
                .then(|| under_way(entry, target))
                .flatten(),
            state: entry.standing.as_str(),
            applied_at: row.map(|row| row.applied_at.clone()),
            applied_by: row.map(|row| row.applied_by.clone()),
            statements_done: row.map(|row| row.statements_done),
            statements_total: row.map(|row| row.statements_total),
            action: word,
            standing: entry.standing,
            what,
        }
    }

    fn in_words(&self) -> String {
        match &self.statement {
            Some(statement) => format!("{}: {}", self.what, head(&redact(statement), HEAD)),
            None => self.what.to_owned(),
        }
    }

    /// Its state, and how far it came.
    fn how(&self) -> String {
        state(self.state, self.statements_done, self.statements_total)
    }
}

/// The statement behind those that are done, as the file has it now.
fn under_way(entry: &MigrationEntry, target: &Target<'_>) -> Option<String> {
    let done = entry.row.as_ref()?.statements_done;
    let script = match entry.standing {
        MigrationStatus::Undoing => target.set.find(Kind::Undo, entry.version.as_ref()?)?,
        _ => entry.migration.as_ref()?,
    };
    let (mut index, mut found) = (0, None);
    // A script that cannot be read is told by the run that is to go on with it.
    let _ = target.backend.check_script(script, &mut |statement| {
        if index == done {
            found = Some(statement.text.to_owned());
        }
        index += 1;
    });
    found
}

/// What was repaired. The steps are those that were shown and confirmed.
#[derive(Serialize)]
struct Repaired {
    #[serde(flatten)]
    run: Run,
    steps: Shown,
}

impl Answer for Repaired {
    fn write_text(&self, out: &mut dyn Write, _: Style) -> io::Result<()> {
        let database = self.run.database.as_deref().unwrap_or_default();
        match self.run.repaired.as_deref().unwrap_or_default() {
            [] => writeln!(out, "nothing to repair in {database}"),
            repaired => {
                let what = count(repaired.len(), "migration");
                writeln!(out, "{what} repaired in {database}")
            }
        }
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        json_line(out, self)
    }
}
