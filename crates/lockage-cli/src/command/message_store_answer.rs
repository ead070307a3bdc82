//! What became of a message database and of its tenants'.

use std::io::{self, Write};

use comfy_table::Cell;
use lockage::{Error, Outcome, Report};
use lockage_message_store::{Counts, OfStore};
use serde::Serialize;

use super::json_line;
use crate::config::Settings;
use crate::exit::Exit;
use crate::output::json::{Deed, Run};
use crate::output::redact::redact;
use crate::output::table::table;
use crate::output::text::count;
use crate::output::{Answer, Output, Style};
use crate::signals;

/// What became of one.
pub(super) enum Told {
    Run(Report, Deed),
    Counts(Counts),
    /// The outcome, which says it all.
    Word(&'static str),
}

pub(super) struct Answers {
    stores: Vec<OfStore<Told>>,
    lock: String,
}

impl Answers {
    /// Tells what went wrong at once; the rest is the answer.
    pub(super) fn new(stores: Vec<OfStore<Told>>, settings: &Settings, output: &Output) -> Self {
        let lock = settings.lock.to_string();
        for store in &stores {
            if let Err(error) = &store.result {
                output.complain(error);
            }
        }
        Self { stores, lock }
    }

    fn first_error(&self) -> Option<&Error> {
        self.stores
            .iter()
            .find_map(|store| store.result.as_ref().err())
    }
}

/// One database. The first is the main one; the tenants stand in it.
#[derive(Serialize)]
struct Json {
    #[serde(flatten)]
    run: Run,
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<Numbers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tenants: Vec<Json>,
}

#[derive(Serialize)]
struct Numbers {
    incoming: u64,
    scheduled: u64,
    handled: u64,
    outgoing: u64,
    dead_letters: u64,
}

impl Json {
    fn of(store: &OfStore<Told>, lock: &str) -> Self {
        let database = redact(&store.database).into_owned();
        let idle = |outcome| Run {
            outcome,
            ..Run::idle(database.clone(), lock.to_owned(), Deed::Applied)
        };
        let mut counts = None;
        let run = match &store.result {
            Ok(Told::Run(report, deed)) => Run::of(report, *deed),
            Ok(Told::Word(outcome)) => idle(outcome),
            Ok(Told::Counts(numbers)) => {
                counts = Some(Numbers::of(*numbers));
                idle("counted")
            }
            Err(error) => {
                Run::of_error(error, Deed::Applied, Some(database), Some(lock.to_owned()))
            }
        };
        Self {
            run,
            counts,
            tenant: store.tenant.clone(),
            tenants: Vec::new(),
        }
    }
}

impl Numbers {
    fn of(counts: Counts) -> Self {
        Self {
            incoming: counts.incoming,
            scheduled: counts.scheduled,
            handled: counts.handled,
            outgoing: counts.outgoing,
            dead_letters: counts.dead_letters,
        }
    }
}

impl Answer for Answers {
    fn exit(&self) -> Exit {
        self.first_error().map_or(Exit::Done, |error| {
            Exit::of(error.kind(), signals::received())
        })
    }

    fn is_asked_for(&self) -> bool {
        let counts = |store: &OfStore<Told>| matches!(store.result, Ok(Told::Counts(_)));
        self.stores.iter().any(counts)
    }

    fn write_text(&self, out: &mut dyn Write, style: Style) -> io::Result<()> {
        let head = [
            "database",
            "incoming",
            "scheduled",
            "handled",
            "outgoing",
            "dead letters",
        ];
        let mut counts = table(style, &head);
        for store in &self.stores {
            let name = match &store.tenant {
                Some(tenant) => format!("{} (tenant {tenant})", redact(&store.database)),
                None => redact(&store.database).into_owned(),
            };
            match &store.result {
                Ok(Told::Run(report, Deed::Rebuilt)) => {
                    let what = count(report.applied.len(), "migration");
                    writeln!(out, "{name} is rebuilt: {what} applied")?;
                }
                Ok(Told::Run(report, _)) if report.outcome == Outcome::Applied => {
                    let what = count(report.applied.len(), "migration");
                    writeln!(out, "{what} applied to {name}")?;
                }
                Ok(Told::Run(..) | Told::Word("up_to_date")) => {
                    writeln!(out, "{name} is up to date")?;
                }
                Ok(Told::Word(outcome)) => writeln!(out, "{name}: {outcome}")?,
                Ok(Told::Counts(numbers)) => {
                    let Counts {
                        incoming,
                        scheduled,
                        handled,
                        outgoing,
                        dead_letters,
                        ..
                    } = numbers;
                    let numbers = [incoming, scheduled, handled, outgoing, dead_letters];
                    counts.add_row(std::iter::once(Cell::new(name)).chain(numbers.map(Cell::new)));
                }
                Err(_) => {}
            }
        }
        if !counts.is_empty() {
            writeln!(out, "{}", counts.trim_fmt())?;
        }
        Ok(())
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut stores = self.stores.iter().map(|store| Json::of(store, &self.lock));
        let Some(mut main) = stores.next() else {
            return Ok(());
        };
        main.tenants = stores.collect();
        if main.run.error.is_none()
            && let Some(error) = self.first_error()
        {
            let failed = Run::of_error(error, Deed::Applied, None, None);
            (main.run.outcome, main.run.error) = (failed.outcome, failed.error);
        }
        json_line(out, &main)
    }
}
