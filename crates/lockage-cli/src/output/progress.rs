//! Progress of a run on standard error: a bar on a terminal, lines elsewhere.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use lockage::redact::mask_secrets;
use lockage::{Action, Backend, Event, LockHolder, LockKey, Migration, Observer, Step};

use tokio::task::AbortHandle;

use super::Output;
use super::text::{first_line, format_count, format_duration};

/// The maximum number of statements of a script whose text is shown. Further statements are shown as numbers.
const MAX_TRACKED_STATEMENTS: usize = 10_000;

/// The maximum length of a statement's text, in characters.
const MAX_STATEMENT_LEN: usize = 70;

/// The interval between two lines about a running step, where no bar shows that time passes.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// An observer that prints the events of a run. Clones share the bar.
#[derive(Clone)]
pub(crate) struct Progress(Arc<Inner>);

struct Inner {
    output: Output,
    backend: Backend,
    bar: Option<ProgressBar>,
    current: Mutex<CurrentStep>,
}

/// The running step.
#[derive(Default)]
struct CurrentStep {
    connected: bool,
    migration: Option<Arc<Migration>>,
    /// The line and the beginning of each statement; read from the script when they are needed first.
    statements: Option<Vec<(u32, String)>>,
    /// The number of finished statements and of all statements, when the first has finished.
    finished: Option<(u32, u32)>,
    /// Prints a line at intervals while the step runs.
    ticker: Option<AbortHandle>,
}

impl Progress {
    /// Creates an observer. `backend` splits scripts into statements.
    pub(crate) fn new(output: Output, backend: Backend) -> Self {
        let bar = output.shows_progress_bar().then(|| ProgressBar::new(0));
        Self(Arc::new(Inner {
            output,
            backend,
            bar,
            current: Mutex::default(),
        }))
    }

    /// Removes the bar, so that other text can be printed.
    pub(crate) fn finish(&self) {
        self.stop_ticker();
        if let Some(bar) = &self.0.bar {
            bar.finish_and_clear();
        }
    }

    fn stop_ticker(&self) {
        if let Some(ticker) = self.current().ticker.take() {
            ticker.abort();
        }
    }

    /// Prints a line at intervals until the step ends.
    fn start_ticker(&self, title: String) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let progress = self.clone();
        let started_at = Instant::now();
        let task = runtime.spawn(async move {
            loop {
                tokio::time::sleep(LINE_INTERVAL).await;
                let running = format_duration(started_at.elapsed());
                let finished = progress.current().finished;
                let finished = finished.map_or_else(String::new, |(done, total)| {
                    format!(", {done} of {total} statements done")
                });
                progress.println(&format!("{title}: running for {running}{finished}"));
            }
        });
        self.current().ticker = Some(task.abort_handle());
    }

    fn println(&self, text: &str) {
        match &self.0.bar {
            Some(bar) => bar.suspend(|| self.0.output.print_message(text)),
            None => self.0.output.print_message(text),
        }
    }

    fn current(&self) -> MutexGuard<'_, CurrentStep> {
        let current = self.0.current.lock();
        current.unwrap_or_else(PoisonError::into_inner)
    }

    fn connected(&self, database: &str) {
        // `wait` opens a session for each poll. The first one is enough to know.
        let is_first = !std::mem::replace(&mut self.current().connected, true);
        if is_first && self.0.output.verbose {
            self.println(&format!("connected to {}", mask_secrets(database)));
        }
    }

    fn waiting(&self, key: &LockKey, waited: Duration, holder: Option<&LockHolder>) {
        let text = match holder {
            Some(holder) => {
                let holder = format_holder(holder);
                format!("waiting for the lock {key}, held by {holder}")
            }
            None => "waiting for another run to finish".to_owned(),
        };
        let text = mask_secrets(&text);
        match &self.0.bar {
            Some(bar) => {
                // `{msg}` wraps over several lines, so that nothing of the holder is cut off.
                bar.set_style(style("{spinner} {elapsed} {msg}"));
                bar.set_message(text.into_owned());
                bar.enable_steady_tick(Duration::from_millis(100));
            }
            None => {
                let waited = format_duration(waited);
                self.println(&format!("{text} (for {waited})"));
            }
        }
    }

    fn unreachable(&self, message: &str, waited: Duration) {
        let text = format!("waiting for the database: {}", mask_secrets(message));
        match &self.0.bar {
            Some(bar) => {
                bar.set_style(style("{spinner} {elapsed} {msg}"));
                bar.set_message(text);
                bar.enable_steady_tick(Duration::from_millis(100));
            }
            None => self.println(&format!("{text} (for {})", format_duration(waited))),
        }
    }

    fn locked(&self, key: &LockKey, waited: Duration, steps: usize) {
        let migrations = format_count(steps, "migration");
        if waited >= Duration::from_secs(1) {
            let waited = format_duration(waited);
            self.println(&format!(
                "acquired the lock {key} after {waited} ({migrations})"
            ));
        } else if self.0.output.verbose {
            self.println(&format!("acquired the lock {key} ({migrations})"));
        }
    }

    fn step_started(&self, step: &Step, index: usize, steps: usize) {
        let (verb, _) = verb_forms(step.action);
        let title = format!("[{}/{steps}] {verb} {}", index + 1, step.migration);
        {
            let mut current = self.current();
            current.migration = step.runs_script().then(|| Arc::clone(&step.migration));
            current.statements = None;
            current.finished = None;
        }
        self.stop_ticker();
        let Some(bar) = &self.0.bar else {
            self.println(&title);
            self.start_ticker(title);
            return;
        };
        let (count, first) = self.with_statements(|statements| {
            let first = statements.first().map(|(_, text)| text.clone());
            (statements.len(), first)
        });
        bar.disable_steady_tick();
        bar.set_style(style("{prefix:.bold} {bar:20} {pos}/{len} {wide_msg:.dim}"));
        bar.set_length(count as u64);
        bar.set_position(0);
        bar.set_prefix(title);
        bar.set_message(first.unwrap_or_default());
        bar.enable_steady_tick(Duration::from_millis(250));
    }

    fn statement_done(&self, done: u32, total: u32) {
        let index = done as usize;
        self.current().finished = Some((done, total));
        if let Some(bar) = &self.0.bar {
            let next = self.with_statements(|statements| statements.get(index).cloned());
            bar.set_length(total.into());
            bar.set_position(done.into());
            bar.set_message(next.map(|(_, text)| text).unwrap_or_default());
        } else if self.0.output.verbose {
            let statement =
                self.with_statements(|statements| statements.get(index.checked_sub(1)?).cloned());
            let migration = self.current().migration.clone();
            let file = migration.as_ref().map_or("", |migration| migration.file());
            let position = match statement {
                Some((line, text)) => format!("{file}:{line}  {text}"),
                None => file.to_owned(),
            };
            self.println(&format!("  {done}/{total}  {position}"));
        }
    }

    /// Calls `read` with the statements of the running step, which are read from the script on the first call of a step.
    ///
    /// The runner reads the script, too. Without a bar and without `--verbose` nothing calls this, so the script is not read again.
    fn with_statements<T>(&self, read: impl FnOnce(&[(u32, String)]) -> T) -> T {
        let mut current = self.current();
        let CurrentStep {
            migration,
            statements,
            ..
        } = &mut *current;
        let statements = statements.get_or_insert_with(|| {
            let migration = migration.as_deref();
            migration.map_or_else(Vec::new, |migration| {
                read_statements(self.0.backend, migration)
            })
        });
        read(statements)
    }

    fn step_finished(&self, step: &Step, took: Duration) {
        self.stop_ticker();
        let (_, verb) = verb_forms(step.action);
        let took = format_duration(took);
        self.println(&format!("{verb} {} ({took})", step.migration));
    }

    fn notice(&self, severity: &str, message: &str) {
        let is_minor = matches!(severity, "NOTICE" | "INFO" | "LOG" | "DEBUG");
        if self.0.output.verbose || !is_minor {
            self.println(&format!(
                "  {severity}: {}",
                mask_secrets(message).trim_end()
            ));
        }
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
            Event::Unreachable { message, waited } => self.unreachable(message, *waited),
            Event::Locked { key, waited, steps } => self.locked(key, *waited, *steps),
            Event::StepStarted { step, index, steps } => self.step_started(step, *index, *steps),
            Event::Statement { done, total } => self.statement_done(*done, *total),
            Event::Notice { severity, message } => self.notice(severity, message),
            Event::Retrying {
                step,
                attempt,
                message,
            } => {
                let (migration, message) = (&step.migration, mask_secrets(message));
                self.println(&format!(
                    "retrying {migration} (attempt {attempt}): {message}"
                ));
            }
            Event::Reconnecting { message } => {
                self.println(&format!(
                    "connection lost, retrying: {}",
                    mask_secrets(message)
                ));
            }
            Event::StepFinished { step, took } => self.step_finished(step, *took),
            Event::Released { key } if self.0.output.verbose => {
                self.println(&format!("released the lock {key}"));
            }
            _ => {}
        }
    }
}

/// Returns the line and the beginning of each statement. Stops silently at an error, which the run reports.
fn read_statements(backend: Backend, migration: &Migration) -> Vec<(u32, String)> {
    let mut statements = Vec::new();
    let _ = backend.check_script(migration, &mut |statement| {
        if statements.len() < MAX_TRACKED_STATEMENTS {
            let text = first_line(statement.text, MAX_STATEMENT_LEN);
            statements.push((statement.line, text));
        }
    });
    statements
}

fn format_holder(holder: &LockHolder) -> String {
    match &holder.statement {
        Some(statement) => format!("{holder}: {}", first_line(statement, MAX_STATEMENT_LEN)),
        None => holder.to_string(),
    }
}

/// Returns the present participle and the past tense for an action.
fn verb_forms(action: Action) -> (&'static str, &'static str) {
    match action {
        Action::Undo => ("undoing", "undid"),
        Action::MarkApplied => ("marking as applied:", "marked as applied:"),
        Action::DeleteRow => ("deleting the history of", "deleted the history of"),
        Action::UpdateChecksum => ("updating the checksum of", "updated the checksum of"),
        Action::ResolveApplied | Action::ResolveNotApplied => ("resolving", "resolved"),
        _ => ("applying", "applied"),
    }
}

fn style(template: &str) -> ProgressStyle {
    // A template that cannot be parsed is a programming error; the default bar is still usable.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
