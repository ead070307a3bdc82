//! `lock status`: shows the holder of the lock and the locks of other tools.

use std::io::{self, Write};

use lockage::{Error, ForeignLockStatus, PlanOptions, Tool};
use serde::Serialize;

use super::holder::HolderJson;
use super::target::Target;
use crate::config::Settings;
use crate::output::Output;
use crate::output::command_output::{CommandOutput, CommandResult, Style, write_json_value};

pub(super) fn run(settings: &Settings, output: &Output) -> CommandResult {
    let target = Target::without_files(settings, output)?;
    let (holder, foreign_locks) =
        target.run::<_, Error>(PlanOptions::default(), async |runner| {
            Ok((
                runner.lock_holder().await?,
                runner.foreign_lock_status().await?,
            ))
        })?;
    Ok(Box::new(LockStatusOutput {
        outcome: if holder.is_some() { "held" } else { "free" },
        lock: settings.lock.to_string(),
        database: target.database(),
        holder: holder.as_ref().map(HolderJson::from_holder),
        foreign_locks: foreign_locks
            .iter()
            .map(ForeignLockJson::from_status)
            .collect(),
        query: holder
            .as_ref()
            .and_then(|holder| holder.query.clone())
            .or(target
                .backend
                .capabilities()
                .holder_query
                .map(str::to_owned)),
        error: None,
    }))
}

#[derive(Serialize)]
struct LockStatusOutput {
    outcome: &'static str,
    lock: String,
    database: String,
    holder: Option<HolderJson>,
    #[serde(rename = "neighbours")] // tidy: allow(neighbours)
    foreign_locks: Vec<ForeignLockJson>,
    query: Option<String>,
    error: Option<()>,
}

/// The JSON of another tool's lock.
#[derive(Serialize)]
struct ForeignLockJson {
    tool: Option<&'static str>,
    lock: Option<String>,
    #[serde(rename = "taken")]
    acquired_by_run: bool,
    holder: Option<HolderJson>,
    /// The reason why the lock cannot be acquired, if `lock` is null.
    reason: Option<String>,
}

impl ForeignLockJson {
    fn from_status(status: &ForeignLockStatus) -> Self {
        let lock = status.lock.as_ref();
        Self {
            tool: status.tool.map(Tool::name),
            lock: lock
                .ok()
                .and_then(|lock| lock.as_foreign().map(str::to_owned)),
            acquired_by_run: status.acquired_by_run,
            holder: status.holder.as_ref().map(HolderJson::from_holder),
            reason: lock.err().map(|error| error.message().to_owned()),
        }
    }

    fn describe(&self) -> String {
        let tool = self.tool.unwrap_or("native lock");
        let Some(lock) = &self.lock else {
            return format!("{tool}: {}", self.reason.as_deref().unwrap_or_default());
        };
        let acquired = if self.acquired_by_run {
            "acquired by every run"
        } else {
            "not acquired: add it to --align"
        };
        let state = match &self.holder {
            Some(holder) => format!("held by {}", holder.summary),
            None => "free".to_owned(),
        };
        format!("{tool}: the lock {lock} is {state} ({acquired})")
    }
}

impl CommandOutput for LockStatusOutput {
    fn is_primary_output(&self) -> bool {
        true
    }

    fn write_text(&self, out: &mut dyn Write, _: Style) -> io::Result<()> {
        let (lock, database) = (&self.lock, &self.database);
        match &self.holder {
            None => writeln!(out, "the lock {lock} of {database} is free")?,
            Some(holder) => {
                writeln!(out, "the lock {lock} of {database} is held")?;
                holder.write_text(out)?;
            }
        }
        if !self.foreign_locks.is_empty() {
            writeln!(out, "\nlocks of other tools:")?;
            for foreign_lock in &self.foreign_locks {
                writeln!(out, "  {}", foreign_lock.describe())?;
            }
        }
        match &self.query {
            Some(query) => writeln!(out, "\nquery that shows the holder:\n{query}"),
            None => Ok(()),
        }
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        write_json_value(out, self)
    }
}
