use std::io::{self, Write};

use lockage::{Error, MigrationSet, PlanOptions, Registry, Result, plan};
use serde::Serialize;

use super::target::Target;
use super::{Answered, json_line};
use crate::args::ValidateArgs;
use crate::config::Settings;
use crate::output::json::{Deed, Run};
use crate::output::text::count;
use crate::output::{Answer, Output, Style};

pub(super) fn run(args: &ValidateArgs, settings: &Settings, output: &Output) -> Answered {
    if args.offline {
        let set = settings.migrations()?;
        inspect(settings, &set)?;
        return Ok(Box::new(Valid::of(&set, settings, None)));
    }
    let target = Target::new(settings, output).map_err(|error| match settings.url() {
        Some(_) => error,
        None => error.with_hint("name a database, or check the files alone with --offline"),
    })?;
    inspect(settings, &target.set)?;
    let history = target.run(PlanOptions::default(), async |runner| {
        runner.history().await
    })?;
    // What is pending, old or new, is no mistake here: only what contradicts the files is.
    let mut lenient = PlanOptions::default();
    lenient.out_of_order = true;
    plan::plan(&target.set, &history, &lenient)?;
    let database = target.database();
    Ok(Box::new(Valid::of(&target.set, settings, Some(database))))
}

/// Reads the scripts as the engine will, where an engine is known.
fn inspect(settings: &Settings, set: &MigrationSet) -> Result<()> {
    let Some(url) = settings.url() else {
        return Ok(());
    };
    let registry = Registry::linked()?;
    let backend = registry.find(url.scheme())?;
    let mistakes = set
        .iter()
        .filter_map(|migration| backend.check_script(migration, &mut |_| {}).err());
    Error::combine(mistakes).map_or(Ok(()), Err)
}

#[derive(Serialize)]
struct Valid {
    #[serde(flatten)]
    run: Run,
    files: usize,
}

impl Valid {
    fn of(set: &MigrationSet, settings: &Settings, database: Option<String>) -> Self {
        Self {
            run: Run {
                outcome: "valid",
                database,
                ..Run::idle(String::new(), settings.lock.to_string(), Deed::Applied)
            },
            files: set.iter().count(),
        }
    }
}

impl Answer for Valid {
    fn write_text(&self, out: &mut dyn Write, _: Style) -> io::Result<()> {
        let files = count(self.files, "file");
        match &self.run.database {
            Some(database) => writeln!(
                out,
                "{files} checked: no mistakes, and as {database} knows them"
            ),
            None => writeln!(out, "{files} checked: no mistakes"),
        }
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        json_line(out, self)
    }
}
