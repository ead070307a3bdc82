//! `lock break`: terminates the session that holds the lock.

use std::io::{self, Write};

use lockage::{Error, PlanOptions};
use serde::Serialize;

use super::holder::HolderJson;
use super::target::Target;
use crate::args::BreakArgs;
use crate::config::Settings;
use crate::output::Output;
use crate::output::command_output::{CommandOutput, CommandResult, Style, write_json_value};
use crate::output::confirm::Confirmation;

pub(super) fn run(args: &BreakArgs, settings: &Settings, output: &Output) -> CommandResult {
    let target = Target::without_files(settings, output)?;
    let (lock, database) = (settings.lock.to_string(), target.database());
    let holder = target.run::<_, Error>(PlanOptions::default(), async |runner| {
        let Some(holder) = runner.lock_holder().await? else {
            return Ok(None);
        };
        let holder_json = HolderJson::from_holder(&holder);
        if args.yes {
            let summary = &holder_json.summary;
            output.print_message(&format!(
                "terminating the session that holds the lock: {summary}"
            ));
        } else {
            let confirmation = Confirmation {
                question: format!(
                    "Terminate the session that holds the lock {lock} of {database}?"
                ),
                refused: "no session was terminated",
            };
            let details = |out: &mut dyn Write, _: Style| {
                writeln!(out, "the lock {lock} of {database} is held")?;
                holder_json.write_text(out)
            };
            let summary = || Some(("would_end", holder_json.summary.clone()));
            confirmation
                .ask(output, &target.interrupt, details, summary)
                .await?;
        }
        runner.terminate_holder(&holder, args.timeout).await?;
        Ok(Some(holder_json))
    })?;
    Ok(Box::new(LockBreakOutput {
        outcome: if holder.is_some() { "broken" } else { "free" },
        lock,
        database,
        holder,
        error: None,
    }))
}

#[derive(Serialize)]
struct LockBreakOutput {
    outcome: &'static str,
    lock: String,
    database: String,
    /// The holder whose session was terminated.
    holder: Option<HolderJson>,
    error: Option<()>,
}

impl CommandOutput for LockBreakOutput {
    fn write_text(&self, out: &mut dyn Write, _: Style) -> io::Result<()> {
        let (lock, database) = (&self.lock, &self.database);
        match &self.holder {
            None => writeln!(
                out,
                "the lock {lock} of {database} is free; no session was terminated"
            ),
            Some(holder) => writeln!(
                out,
                "the session that held the lock {lock} of {database} was terminated: {}",
                holder.summary
            ),
        }
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        write_json_value(out, self)
    }
}
