//! The result of a `message-store` command for the main database and its tenants.

use std::io::{self, Write};

use comfy_table::Cell;
use lockage::redact::mask_secrets;
use lockage::{Outcome, Report, RunError};
use lockage_message_store::{Counts, StoreResult};
use serde::Serialize;

use crate::config::Settings;
use crate::exit::Exit;
use crate::output::Output;
use crate::output::command_output::{CommandOutput, Style, write_json_value};
use crate::output::json::RunJson;
use crate::output::run_kind::RunKind;
use crate::output::table::new_table;
use crate::output::text::format_count;
use crate::signals;

/// The result for one store.
pub(super) enum StoreOutput {
    Run(Report, RunKind),
    Counts(Counts),
    /// A result without details; the text is the outcome in JSON.
    Message(&'static str),
}

pub(super) struct MessageStoreOutput {
    /// The main store, then the tenants.
    stores: Vec<StoreResult<StoreOutput>>,
    lock: String,
}

impl MessageStoreOutput {
    /// Prints the errors immediately and keeps all results.
    pub(super) fn new(
        stores: Vec<StoreResult<StoreOutput>>,
        settings: &Settings,
        output: &Output,
    ) -> Self {
        let lock = settings.lock.to_string();
        for store in &stores {
            if let Err(error) = &store.result {
                output.print_error(error);
            }
        }
        Self { stores, lock }
    }

    fn first_error(&self) -> Option<&RunError> {
        self.stores
            .iter()
            .find_map(|store| store.result.as_ref().err())
    }
}

/// The JSON of one store. The object of the main store contains those of the tenants.
#[derive(Serialize)]
struct StoreJson {
    #[serde(flatten)]
    run: RunJson,
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<CountsJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tenants: Vec<StoreJson>,
}

#[derive(Serialize)]
struct CountsJson {
    incoming: u64,
    scheduled: u64,
    handled: u64,
    outgoing: u64,
    dead_letters: u64,
}

impl StoreJson {
    fn from_result(store: &StoreResult<StoreOutput>, lock: &str) -> Self {
        let database = mask_secrets(&store.database).into_owned();
        let lock = lock.to_owned();
        let idle = |outcome| RunJson {
            outcome,
            ..RunJson::idle(database.clone(), lock.clone(), RunKind::Applied)
        };
        let mut counts = None;
        let run = match &store.result {
            Ok(StoreOutput::Run(report, kind)) => RunJson::from_report(report, *kind),
            Ok(StoreOutput::Message(outcome)) => idle(outcome),
            Ok(StoreOutput::Counts(store_counts)) => {
                counts = Some(CountsJson::from_counts(*store_counts));
                idle("counted")
            }
            Err(error) => RunJson::from_error(error, RunKind::Applied, Some(database), Some(lock)),
        };
        Self {
            run,
            counts,
            tenant: store.tenant.clone(),
            tenants: Vec::new(),
        }
    }
}

impl CountsJson {
    fn from_counts(counts: Counts) -> Self {
        Self {
            incoming: counts.incoming,
            scheduled: counts.scheduled,
            handled: counts.handled,
            outgoing: counts.outgoing,
            dead_letters: counts.dead_letters,
        }
    }
}

impl CommandOutput for MessageStoreOutput {
    fn exit(&self) -> Exit {
        self.first_error().map_or(Exit::Success, |error| {
            Exit::from_error(error.kind(), signals::received())
        })
    }

    fn is_primary_output(&self) -> bool {
        let has_counts =
            |store: &StoreResult<StoreOutput>| matches!(store.result, Ok(StoreOutput::Counts(_)));
        self.stores.iter().any(has_counts)
    }

    fn write_text(&self, out: &mut dyn Write, style: Style) -> io::Result<()> {
        for store in &self.stores {
            write_summary(out, store)?;
        }
        let header = [
            "database",
            "incoming",
            "scheduled",
            "handled",
            "outgoing",
            "dead letters",
        ];
        let mut table = new_table(style, &header);
        for store in &self.stores {
            if let Ok(StoreOutput::Counts(counts)) = &store.result {
                let counts = [
                    counts.incoming,
                    counts.scheduled,
                    counts.handled,
                    counts.outgoing,
                    counts.dead_letters,
                ];
                let name = Cell::new(display_name(store));
                table.add_row(std::iter::once(name).chain(counts.map(Cell::new)));
            }
        }
        if !table.is_empty() {
            writeln!(out, "{}", table.trim_fmt())?;
        }
        Ok(())
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut stores = self
            .stores
            .iter()
            .map(|store| StoreJson::from_result(store, &self.lock));
        let Some(mut main) = stores.next() else {
            return Ok(());
        };
        main.tenants = stores.collect();
        if main.run.error.is_none()
            && let Some(error) = self.first_error()
        {
            let failed = RunJson::from_error(error, RunKind::Applied, None, None);
            (main.run.outcome, main.run.error) = (failed.outcome, failed.error);
        }
        write_json_value(out, &main)
    }
}

/// Writes the result of a store in one line. Counts are in the table, and errors are printed before.
fn write_summary(out: &mut dyn Write, store: &StoreResult<StoreOutput>) -> io::Result<()> {
    let name = display_name(store);
    match &store.result {
        Ok(StoreOutput::Run(report, RunKind::Rebuilt)) => {
            let migrations = format_count(report.applied.len(), "migration");
            writeln!(out, "{name} was rebuilt: {migrations} applied")
        }
        Ok(StoreOutput::Run(report, _)) if report.outcome == Outcome::Applied => {
            let migrations = format_count(report.applied.len(), "migration");
            writeln!(out, "{migrations} applied to {name}")
        }
        Ok(StoreOutput::Run(..) | StoreOutput::Message("up_to_date")) => {
            writeln!(out, "{name} is up to date")
        }
        Ok(StoreOutput::Message(outcome)) => writeln!(out, "{name}: {outcome}"),
        Ok(StoreOutput::Counts(_)) | Err(_) => Ok(()),
    }
}

fn display_name(store: &StoreResult<StoreOutput>) -> String {
    let database = mask_secrets(&store.database);
    match &store.tenant {
        Some(tenant) => format!("{database} (tenant {tenant})"),
        None => database.into_owned(),
    }
}
