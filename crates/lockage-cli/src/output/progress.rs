//! What goes on, on standard error: a bar on a terminal, lines elsewhere.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use lockage::{Action, Backend, Event, LockHolder, LockKey, Observer, Step};

use super::Output;
use super::redact::redact;
use super::text::{count, duration, head};

/// How many statements of a script are remembered to be told; a longer script shows numbers only.
const REMEMBERED: usize = 10_000;

/// How much of a statement is told.
const HEAD: usize = 70;

/// Listens to a run. Clones draw on the same bar.
#[derive(Clone)]
pub(crate) struct Progress(Arc<Inner>);

struct Inner {
    output: Output,
    backend: Backend,
    bar: Option<ProgressBar>,
    current: Mutex<Current>,
}

/// The step in hand.
#[derive(Default)]
struct Current {
    connected: bool,
    title: String,
    file: String,
    /// The line and the beginning of each statement.
    statements: Vec<(u32, String)>,
}

impl Progress {
    pub(crate) fn new(output: Output, backend: Backend) -> Self {
        let bar = output.draws().then(|| ProgressBar::new(0));
        Self(Arc::new(Inner {
            output,
            backend,
            bar,
            current: Mutex::default(),
        }))
    }

    /// Takes the bar away, so that other text can be printed.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.0.bar {
            bar.finish_and_clear();
        }
    }

    fn say(&self, text: &str) {
        match &self.0.bar {
            Some(bar) => bar.suspend(|| self.0.output.message(text)),
            None => self.0.output.message(text),
        }
    }

    fn waiting(&self, key: &LockKey, waited: Duration, holder: Option<&LockHolder>) {
        let what = match holder {
            Some(holder) => format!("waiting for the lock {key}, held by {}", told(holder)),
            None => "waiting for another run to finish".to_owned(),
        };
        let what = redact(&what);
        match &self.0.bar {
            Some(bar) => {
                // Longer than a line, and none of it is to be missed.
                bar.set_style(style("{spinner} {elapsed} {msg}"));
                bar.set_message(what.into_owned());
                bar.enable_steady_tick(Duration::from_millis(100));
            }
            None => self.say(&format!("{what} ({} so far)", duration(waited))),
        }
    }

    fn started(&self, step: &Step, index: usize, steps: usize) {
        let verb = verbs(step.action).0;
        let mut current = self
            .0
            .current
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        current.title = format!("[{}/{steps}] {verb} {}", index + 1, step.migration);
        current.file = step.migration.file().to_owned();
        current.statements.clear();
        let runs = matches!(step.action, Action::Apply | Action::Undo);
        if runs && (self.0.bar.is_some() || self.0.output.verbose) {
            let statements = &mut current.statements;
            // A script that cannot be read is the run's to tell.
            let _ = self.0.backend.check_script(&step.migration, &mut |statement| {
                if statements.len() < REMEMBERED {
                    statements.push((statement.line, head(statement.text, HEAD)));
                }
            });
        }
        match &self.0.bar {
            Some(bar) => {
                bar.disable_steady_tick();
                bar.set_style(style("{prefix:.bold} {bar:20} {pos}/{len} {wide_msg:.dim}"));
                bar.set_length(current.statements.len() as u64);
                bar.set_position(0);
                bar.set_prefix(current.title.clone());
                bar.set_message(current.head(0));
                bar.enable_steady_tick(Duration::from_millis(250));
            }
            None => {
                let title = current.title.clone();
                drop(current);
                self.say(&title);
            }
        }
    }

    fn statement(&self, done: u32, total: u32) {
        let current = self
            .0
            .current
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = &self.0.bar {
            bar.set_length(total.into());
            bar.set_position(done.into());
            bar.set_message(current.head(done as usize));
        } else if self.0.output.verbose {
            let place = match current.statements.get((done as usize).saturating_sub(1)) {
                Some((line, head)) => format!("{}:{line}  {head}", current.file),
                None => current.file.clone(),
            };
            drop(current);
            self.say(&format!("  {done}/{total}  {place}"));
        }
    }

    fn finished(&self, step: &Step, took: Duration) {
        let done = verbs(step.action).1;
        self.say(&format!("{done} {} ({})", step.migration, duration(took)));
    }

    fn connected(&self, database: &str) {
        let mut current = self
            .0
            .current
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Whoever waits until a database is current connects again and again.
        if !std::mem::replace(&mut current.connected, true) && self.0.output.verbose {
            drop(current);
            self.say(&format!("connected to {}", redact(database)));
        }
    }
}

impl Current {
    fn head(&self, at: usize) -> String {
        self.statements
            .get(at)
            .map(|(_, head)| head.clone())
            .unwrap_or_default()
    }
}

impl Observer for Progress {
    fn on_event(&self, event: &Event<'_>) {
        self.0.output.trace.event(event);
        match event {
            Event::Connected { database } => self.connected(database),
            Event::Waiting {
                key,
                waited,
                holder,
            } => self.waiting(key, *waited, *holder),
            Event::Locked { key, waited, steps } => {
                let what = count(*steps, "migration");
                if *waited >= Duration::from_secs(1) {
                    let waited = duration(*waited);
                    self.say(&format!("got the lock {key} after {waited}; {what} to do"));
                } else if self.0.output.verbose {
                    self.say(&format!("got the lock {key}; {what} to do"));
                }
            }
            Event::StepStarted { step, index, steps } => self.started(step, *index, *steps),
            Event::Statement { done, total } => self.statement(*done, *total),
            Event::Notice { severity, message } => {
                let quiet = matches!(*severity, "NOTICE" | "INFO" | "LOG" | "DEBUG");
                if self.0.output.verbose || !quiet {
                    self.say(&format!("  {severity}: {}", redact(message).trim_end()));
                }
            }
            Event::Retrying {
                step,
                attempt,
                message,
            } => {
                let message = redact(message);
                self.say(&format!(
                    "trying {} again ({attempt}): {message}",
                    step.migration
                ));
            }
            Event::Reconnecting { message } => {
                self.say(&format!("beginning anew: {}", redact(message)));
            }
            Event::StepFinished { step, took } => self.finished(step, *took),
            Event::Released { key } if self.0.output.verbose => {
                self.say(&format!("gave the lock {key} back"));
            }
            _ => {}
        }
    }
}

fn told(holder: &LockHolder) -> String {
    match &holder.statement {
        Some(statement) => format!("{holder}: {}", head(statement, HEAD)),
        None => holder.to_string(),
    }
}

fn verbs(action: Action) -> (&'static str, &'static str) {
    match action {
        Action::Undo => ("undoing", "undid"),
        Action::MarkApplied => ("recording", "recorded"),
        Action::DeleteRow => ("forgetting", "forgot"),
        Action::UpdateChecksum => ("accepting", "accepted"),
        Action::ResolveApplied | Action::ResolveNotApplied => ("settling", "settled"),
        _ => ("applying", "applied"),
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are ours; the default is for a mistake in one.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
