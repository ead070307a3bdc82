use std::io::{self, Write};

use lockage::PlanOptions;
use serde::Serialize;

use super::holder::Holder;
use super::target::Target;
use super::{Answered, json_line};
use crate::args::BreakArgs;
use crate::config::Settings;
use crate::output::ask::Question;
use crate::output::{Answer, Output, Style};

pub(super) fn run(args: &BreakArgs, settings: &Settings, output: &Output) -> Answered {
    let target = Target::without_files(settings, output)?;
    let (lock, database) = (settings.lock.to_string(), target.database());
    let holder = target.run(PlanOptions::default(), async |runner| {
        let Some(holder) = runner.lock_holder().await? else {
            return Ok(None);
        };
        let shown = Holder::of(&holder);
        if !args.yes {
            let question = Question {
                question: format!("End the session that holds the lock {lock} of {database}?"),
                refused: "no session was ended",
            };
            let show = |out: &mut dyn Write, _: Style| {
                writeln!(out, "the lock {lock} of {database} is held")?;
                shown.write(out)
            };
            let in_words = || Some(("would_end", shown.short.clone()));
            question
                .ask(output, &target.interrupt, show, in_words)
                .await?;
        } else {
            output.message(&format!(
                "ending the session that holds the lock: {}",
                shown.short
            ));
        }
        runner.terminate_holder(&holder, args.timeout).await?;
        Ok(Some(shown))
    })?;
    Ok(Box::new(Broken {
        outcome: if holder.is_some() { "broken" } else { "free" },
        lock,
        database,
        holder,
        error: None,
    }))
}

#[derive(Serialize)]
struct Broken {
    outcome: &'static str,
    lock: String,
    database: String,
    /// Whose session was ended.
    holder: Option<Holder>,
    error: Option<()>,
}

impl Answer for Broken {
    fn write_text(&self, out: &mut dyn Write, _: Style) -> io::Result<()> {
        let (lock, database) = (&self.lock, &self.database);
        match &self.holder {
            None => writeln!(
                out,
                "the lock {lock} of {database} is free; nothing was ended"
            ),
            Some(holder) => {
                writeln!(
                    out,
                    "the session that held the lock {lock} of {database} has ended: {}",
                    holder.short
                )
            }
        }
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        json_line(out, self)
    }
}
