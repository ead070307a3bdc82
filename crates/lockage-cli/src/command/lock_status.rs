use std::io::{self, Write};

use lockage::{LockHolder, PlanOptions};
use serde::Serialize;

use super::target::Target;
use super::{Answered, json_line};
use crate::config::Settings;
use crate::output::redact::redact;
use crate::output::{Answer, Output, Style};

pub(super) fn run(settings: &Settings, output: &Output) -> Answered {
    let target = Target::without_files(settings, output)?;
    let holder = target.run(PlanOptions::default(), async |runner| {
        runner.lock_holder().await
    })?;
    Ok(Box::new(LockStatus {
        outcome: if holder.is_some() { "held" } else { "free" },
        lock: settings.lock.to_string(),
        database: target.database(),
        holder: holder.as_ref().map(Holder::of),
        query: target.backend.capabilities().lock_query,
        error: None,
    }))
}

#[derive(Serialize)]
struct LockStatus {
    outcome: &'static str,
    lock: String,
    database: String,
    holder: Option<Holder>,
    query: Option<&'static str>,
    error: Option<()>,
}

#[derive(Serialize)]
struct Holder {
    session: Option<String>,
    user: Option<String>,
    host: Option<String>,
    application: Option<String>,
    since: Option<String>,
    migration: Option<String>,
    statement: Option<String>,
}

impl Holder {
    fn of(holder: &LockHolder) -> Self {
        let shown = |text: &Option<String>| text.as_deref().map(|text| redact(text).into_owned());
        Self {
            session: shown(&holder.session),
            user: shown(&holder.user),
            host: shown(&holder.host),
            application: shown(&holder.application),
            since: shown(&holder.since),
            migration: shown(&holder.migration),
            statement: shown(&holder.statement),
        }
    }
}

impl Answer for LockStatus {
    fn is_asked_for(&self) -> bool {
        true
    }

    fn write_text(&self, out: &mut dyn Write, _: Style) -> io::Result<()> {
        let (lock, database) = (&self.lock, &self.database);
        match &self.holder {
            None => writeln!(out, "the lock {lock} of {database} is free")?,
            Some(holder) => {
                writeln!(out, "the lock {lock} of {database} is held")?;
                for (name, value) in [
                    ("by", &holder.user),
                    ("from", &holder.host),
                    ("session", &holder.session),
                    ("program", &holder.application),
                    ("since", &holder.since),
                    ("migration", &holder.migration),
                    ("statement", &holder.statement),
                ] {
                    if let Some(value) = value {
                        writeln!(out, "  {name:<10} {value}")?;
                    }
                }
            }
        }
        match self.query {
            Some(query) => writeln!(out, "\nto see it by hand:\n{query}"),
            None => Ok(()),
        }
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        json_line(out, self)
    }
}
