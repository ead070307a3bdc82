//! `validate`: checks the migration files, and their checksums in the history.

use std::io::{self, Write};

use lockage::{Error, MigrationSet, PlanOptions, Registry, Result, plan};
use serde::Serialize;

use super::target::Target;
use crate::args::ValidateArgs;
use crate::config::Settings;
use crate::output::Output;
use crate::output::command_output::{CommandOutput, CommandResult, Style, write_json_value};
use crate::output::json::RunJson;
use crate::output::run_kind::RunKind;
use crate::output::text::format_count;

pub(super) fn run(args: &ValidateArgs, settings: &Settings, output: &Output) -> CommandResult {
    if args.offline {
        let set = settings.migrations()?;
        check_scripts(settings, &set)?;
        return Ok(Box::new(ValidateOutput::new(&set, settings, None)));
    }
    let target = Target::new(settings, output).map_err(|error| match settings.url() {
        Some(_) => error,
        None => error.with_hint("name a database, or check only the files with --offline"),
    })?;
    check_scripts(settings, &target.set)?;
    let history = target.run(PlanOptions::default(), async |runner| {
        runner.history().await
    })?;
    // Pending migrations are valid, older ones included. Only contradictions between files and history are errors.
    let mut lenient = PlanOptions::default();
    lenient.out_of_order = true;
    plan::plan_up(&target.set, &history, &lenient)?;
    let database = target.database();
    Ok(Box::new(ValidateOutput::new(
        &target.set,
        settings,
        Some(database),
    )))
}

/// Checks the scripts with the engine's rules. Does nothing if no URL names an engine.
fn check_scripts(settings: &Settings, set: &MigrationSet) -> Result<()> {
    let Some(url) = settings.url() else {
        return Ok(());
    };
    let registry = Registry::linked()?;
    let backend = registry.find(url.scheme())?;
    let errors = set
        .iter()
        .filter_map(|migration| backend.check_script(migration, &mut |_| {}).err());
    Error::combine(errors).map_or(Ok(()), Err)
}

#[derive(Serialize)]
struct ValidateOutput {
    #[serde(flatten)]
    run: RunJson,
    files: usize,
}

impl ValidateOutput {
    fn new(set: &MigrationSet, settings: &Settings, database: Option<String>) -> Self {
        let idle = RunJson::idle(String::new(), settings.lock.to_string(), RunKind::Applied);
        Self {
            run: RunJson {
                outcome: "valid",
                database,
                ..idle
            },
            files: set.iter().count(),
        }
    }
}

impl CommandOutput for ValidateOutput {
    fn write_text(&self, out: &mut dyn Write, _: Style) -> io::Result<()> {
        let files = format_count(self.files, "file");
        match &self.run.database {
            Some(database) => writeln!(
                out,
                "{files} checked: no errors, and the history of {database} matches"
            ),
            None => writeln!(out, "{files} checked: no errors"),
        }
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        write_json_value(out, self)
    }
}
