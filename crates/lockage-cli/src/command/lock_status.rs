use std::io::{self, Write};

use lockage::{ForeignLockStatus, PlanOptions, Tool};
use serde::Serialize;

use super::holder::Holder;
use super::target::Target;
use super::{Answered, json_line};
use crate::config::Settings;
use crate::output::{Answer, Output, Style};

pub(super) fn run(settings: &Settings, output: &Output) -> Answered {
    let target = Target::without_files(settings, output)?;
    let (holder, neighbours) = target.run(PlanOptions::default(), async |runner| {
        Ok((runner.lock_holder().await?, runner.foreign_lock_status().await?))
    })?;
    Ok(Box::new(LockStatus {
        outcome: if holder.is_some() { "held" } else { "free" },
        lock: settings.lock.to_string(),
        database: target.database(),
        holder: holder.as_ref().map(Holder::of),
        neighbours: neighbours.iter().map(ForeignLock::of).collect(),
        query: holder
            .as_ref()
            .and_then(|holder| holder.query.clone())
            .or(target.backend.capabilities().lock_query.map(str::to_owned)),
        error: None,
    }))
}

#[derive(Serialize)]
struct LockStatus {
    outcome: &'static str,
    lock: String,
    database: String,
    holder: Option<Holder>,
    neighbours: Vec<ForeignLock>,
    query: Option<String>,
    error: Option<()>,
}

/// The lock of another tool.
#[derive(Serialize)]
struct ForeignLock {
    tool: Option<&'static str>,
    lock: Option<String>,
    taken: bool,
    holder: Option<Holder>,
    /// Why there is no lock to take.
    reason: Option<String>,
}

impl ForeignLock {
    fn of(neighbour: &ForeignLockStatus) -> Self {
        let lock = neighbour.lock.as_ref();
        Self {
            tool: neighbour.tool.map(Tool::name),
            lock: lock
                .ok()
                .and_then(|lock| lock.as_foreign().map(str::to_owned)),
            taken: neighbour.taken,
            holder: neighbour.holder.as_ref().map(Holder::of),
            reason: lock.err().map(|error| error.message().to_owned()),
        }
    }

    fn in_words(&self) -> String {
        let tool = self.tool.unwrap_or("somebody else");
        let Some(lock) = &self.lock else {
            return format!("{tool}: {}", self.reason.as_deref().unwrap_or_default());
        };
        let taken = if self.taken {
            "taken with ours"
        } else {
            "not taken: name it with --align"
        };
        let held = match &self.holder {
            Some(holder) => format!("held by {}", holder.short),
            None => "free".to_owned(),
        };
        format!("{tool}: the lock {lock} is {held} ({taken})")
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
                holder.write(out)?;
            }
        }
        if !self.neighbours.is_empty() {
            writeln!(out, "\nother tools use the database:")?;
            for neighbour in &self.neighbours {
                writeln!(out, "  {}", neighbour.in_words())?;
            }
        }
        match &self.query {
            Some(query) => writeln!(out, "\nto see it by hand:\n{query}"),
            None => Ok(()),
        }
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        json_line(out, self)
    }
}
