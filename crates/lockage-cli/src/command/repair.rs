use std::io::{self, Write};

use comfy_table::Cell;
use lockage::survey::{Entry, Standing};
use lockage::{Action, Error, ErrorKind, Interrupt, PlanOptions, Result, Runner, Step};
use serde::Serialize;

use super::status::{color, state, to_the_second};
use super::target::Target;
use super::{Answered, json_line};
use crate::args::{RepairArgs, Settle};
use crate::config::Settings;
use crate::output::json::{Deed, Run};
use crate::output::table::{colored, table};
use crate::output::text::count;
use crate::output::{Answer, Output, Style, ask};

pub(super) fn run(args: &RepairArgs, settings: &Settings, output: &Output) -> Answered {
    let target = Target::new(settings, output)?;
    let (repairs, report) = target.run(PlanOptions::default(), async |runner| {
        let repairs = Repairs::find(&runner, args.settle).await?;
        if !args.yes {
            if repairs.0.is_empty() {
                return Ok((repairs, None));
            }
            let question = format!("Repair {}?", target.database());
            repairs.ask(output, &question, &target.interrupt).await?;
        }
        let report = match args.settle {
            None => runner.repair().await?,
            Some(answer) => runner.settle(answer == Settle::Done).await?,
        };
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
struct Repairs(Vec<Repair>);

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
    #[serde(skip)]
    standing: Standing,
    /// The action in words.
    #[serde(skip)]
    what: &'static str,
}

impl Repairs {
    /// Looks, without the lock.
    async fn find(runner: &Runner, settle: Option<Settle>) -> Result<Self> {
        let entries = runner.status().await?;
        let plan = runner.repairs().await?;
        let action = |entry: &Entry| match settle {
            None => plan
                .steps
                .iter()
                .find(|step| is_of(step, entry))
                .map(|step| step.action),
            Some(answer) => {
                let unfinished = matches!(entry.standing, Standing::Running | Standing::Failed);
                unfinished.then_some(match answer {
                    Settle::Done => Action::SettleDone,
                    Settle::Again => Action::SettleAgain,
                })
            }
        };
        let repairs = entries
            .iter()
            .filter_map(|entry| Some(Repair::of(entry, action(entry)?)));
        Ok(Self(repairs.collect()))
    }

    /// Goes on only when somebody says yes.
    async fn ask(&self, output: &Output, question: &str, interrupt: &Interrupt) -> Result<()> {
        if !output.can_ask() {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                "nothing was repaired: there is no terminal to ask on",
            )
            .with_context("would_repair", self.in_words())
            .with_hint("do it without being asked with --yes"));
        }
        let cannot = |error: io::Error| {
            Error::new(ErrorKind::Unexpected, "cannot ask on this terminal").with_source(error)
        };
        output
            .question(|out, style| self.write_table(out, style), question)
            .map_err(cannot)?;
        let yes = tokio::select! {
            biased;
            () = interrupt.triggered() => {
                output.message("");
                false
            }
            answer = tokio::task::spawn_blocking(ask::answer) => {
                answer.map_err(io::Error::from).flatten().map_err(cannot)?
            }
        };
        if yes {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Interrupted,
            "nothing was repaired: nobody said yes",
        ))
    }

    fn in_words(&self) -> String {
        let words = self.0.iter().map(|repair| {
            let title = repair.version.as_deref().unwrap_or("repeatable");
            format!(
                "{title} {} ({}): {}",
                repair.name,
                repair.how(),
                repair.what
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
                Cell::new(repair.what),
            ]);
        }
        writeln!(out, "{}", table.trim_fmt())
    }
}

fn is_of(step: &Step, entry: &Entry) -> bool {
    let migration = &step.migration;
    (migration.kind(), migration.version(), migration.name())
        == (entry.kind, entry.version.as_ref(), &*entry.name)
}

impl Repair {
    fn of(entry: &Entry, action: Action) -> Self {
        let row = entry.row.as_ref();
        let (word, what) = match action {
            Action::Accept => ("accept", "take the file as it is now for what was applied"),
            Action::SettleDone => (
                "settle_done",
                "the statement under way took effect; go on behind it",
            ),
            Action::SettleAgain => (
                "settle_again",
                "the statement under way did not take effect; run it again",
            ),
            _ if entry.standing == Standing::Missing => ("forget", "forget it: it has no file"),
            _ => (
                "forget",
                "forget how far it came, and start again from its first statement",
            ),
        };
        Self {
            version: entry.version.as_ref().map(ToString::to_string),
            name: entry.name.clone(),
            kind: entry.kind.as_str(),
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

    /// Its state, and how far it came.
    fn how(&self) -> String {
        state(self.state, self.statements_done, self.statements_total)
    }
}

/// What was repaired. The steps are those that were shown; under the lock, another run may have left other ones.
#[derive(Serialize)]
struct Repaired {
    #[serde(flatten)]
    run: Run,
    steps: Repairs,
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
