//! `validate`: checks the migration files, and their checksums in the history.

use std::io::{self, Write};
use std::sync::Arc;

use lockage::{
    Error, ErrorKind, Kind, Location, Migration, MigrationSet, PlanOptions, Registry, Result, plan,
};
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
        check_empty_scripts(settings, &set, output)?;
        return Ok(Box::new(ValidateOutput::new(&set, settings, None)));
    }
    let target = Target::new(settings, output).map_err(|error| match settings.url() {
        Some(_) => error,
        None => error.with_hint("name a database, or check only the files with --offline"),
    })?;
    check_scripts(settings, &target.set)?;
    check_empty_scripts(settings, &target.set, output)?;
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

/// Checks the scripts with the engine's rules. If no URL names an engine, a script is checked with the rules of every linked
/// engine, and is invalid if none can read it.
fn check_scripts(settings: &Settings, set: &MigrationSet) -> Result<()> {
    let registry = Registry::linked()?;
    let errors: Vec<Error> = match settings.url() {
        Some(url) => {
            let backend = registry.find(url.scheme())?;
            let check = |migration: &Arc<Migration>| backend.check_script(migration, &mut |_| {});
            set.iter()
                .filter_map(|migration| check(migration).err())
                .collect()
        }
        None => set
            .iter()
            .filter_map(|migration| error_of_all_engines(&registry, migration))
            .collect(),
    };
    Error::combine(errors).map_or(Ok(()), Err)
}

/// Returns the error of a script that no linked engine can read: that of the engine that read most of it.
fn error_of_all_engines(registry: &Registry, migration: &Arc<Migration>) -> Option<Error> {
    let mut farthest: Option<(u32, Error)> = None;
    for backend in registry.backends() {
        let error = backend.check_script(migration, &mut |_| {}).err()?;
        let line = error.location().and_then(|location| location.line);
        let line = line.unwrap_or_default();
        if farthest.as_ref().is_none_or(|(known, _)| *known < line) {
            farthest = Some((line, error.with_context("engine", backend.name())));
        }
    }
    let (_, error) = farthest?;
    Some(
        error
            .map_message(|message| format!("no linked engine can read the script: {message}"))
            .with_hint(
                "correct the script; name the engine with --url to check with its rules alone",
            ),
    )
}

/// Warns of versioned migrations without a statement, or fails with `--strict`.
fn check_empty_scripts(settings: &Settings, set: &MigrationSet, output: &Output) -> Result<()> {
    let empty = set
        .iter_kind(Kind::Versioned)
        .filter(|migration| migration.is_empty());
    if settings.plan_options(None, None).strict {
        let errors = empty.map(|migration| {
            Error::new(
                ErrorKind::InvalidMigration,
                "the script contains no statement",
            )
            .with_location(Location::file(migration.file()))
        });
        return Error::combine(errors).map_or(Ok(()), Err);
    }
    for migration in empty {
        output.print_message(&format!(
            "warning: {}: the script contains no statement",
            migration.file()
        ));
    }
    Ok(())
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
