//! What a command prints: the result on standard output, progress and messages on standard error.

pub(crate) mod ask;
pub(crate) mod diagnostic;
pub(crate) mod json;
pub(crate) mod progress;
pub(crate) mod redact;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod trace;
pub(crate) mod usage;

use std::io::{self, BufWriter, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use lockage::Error;

use crate::args::GlobalArgs;
use crate::config::Environment;
use crate::exit::Exit;
use crate::signals;
use trace::Trace;

/// What a command has to say when it did not fail.
pub(crate) trait Answer {
    /// What the process exits with.
    fn exit(&self) -> Exit {
        Exit::Done
    }

    /// Whether the text is what the user asked for, rather than a word on how it went; `--quiet` keeps it.
    fn is_asked_for(&self) -> bool {
        false
    }

    /// For a person.
    fn write_text(&self, out: &mut dyn Write, style: Style) -> io::Result<()>;

    /// For a program: one JSON object.
    fn write_json(&self, out: &mut dyn Write) -> io::Result<()>;
}

/// How standard output wants its text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// With colours.
    pub(crate) color: bool,
    /// For a person who looks at it, rather than for a pipe.
    pub(crate) terminal: bool,
}

/// What went wrong, and with which database and lock, as far as that was known.
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) database: Option<String>,
    pub(crate) lock: Option<String>,
    /// What the run was to do.
    pub(crate) deed: json::Deed,
}

/// How and where to print.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    colors: bool,
    pub(crate) trace: Trace,
}

impl Output {
    pub(crate) fn new(global: &GlobalArgs, environment: &Environment) -> Self {
        let mut output = Self {
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose,
            colors: !global.no_color && !environment.no_color(),
            trace: Trace::default(),
        };
        match environment.trace().map(Trace::open) {
            Some(Ok(trace)) => output.trace = trace,
            Some(Err(error)) => output.message(&format!("cannot open the trace file: {error}")),
            None => {}
        }
        output
    }

    /// Before the arguments are understood.
    pub(crate) fn plain(json: bool, colors: bool) -> Self {
        Self {
            json,
            quiet: false,
            verbose: false,
            colors,
            trace: Trace::default(),
        }
    }

    /// Prints the result.
    pub(crate) fn answer(&self, answer: &dyn Answer) -> Exit {
        let terminal = io::stdout().is_terminal();
        let style = Style {
            color: self.colors && terminal,
            terminal,
        };
        let written = self.on_stdout(|out| {
            if self.json {
                answer.write_json(out)?;
                writeln!(out)
            } else if self.quiet && !answer.is_asked_for() {
                Ok(())
            } else {
                answer.write_text(out, style)
            }
        });
        match written {
            Ok(()) => answer.exit(),
            // Whoever read has read enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => answer.exit(),
            Err(error) => {
                self.message(&format!("cannot write to standard output: {error}"));
                Exit::Failed
            }
        }
    }

    /// Prints what went wrong.
    pub(crate) fn failure(&self, failure: &Failure) -> Exit {
        let exit = Exit::of(failure.error.kind(), signals::received());
        self.trace.failure(failure, exit);
        if self.json {
            let written = self.on_stdout(|out| {
                serde_json::to_writer(&mut *out, &json::Run::of_failure(failure))?;
                writeln!(out)
            });
            if written.is_ok() {
                return exit;
            }
        }
        self.complain(&failure.error);
        exit
    }

    /// Tells a person what went wrong.
    pub(crate) fn complain(&self, error: &Error) {
        if !self.json {
            self.on_stderr(&diagnostic::render(error));
        }
    }

    /// Prints a line about what goes on.
    pub(crate) fn message(&self, text: &str) {
        if !self.quiet {
            self.on_stderr(&format!("{text}\n"));
        }
    }

    /// Whether progress is drawn rather than written line by line.
    pub(crate) fn draws(&self) -> bool {
        !self.quiet && !self.verbose && io::stderr().is_terminal()
    }

    pub(super) fn on_stdout(
        &self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let stream = AutoStream::new(io::stdout().lock(), self.choice());
        let mut out = BufWriter::new(stream);
        write(&mut out)?;
        out.flush()
    }

    /// What cannot be said on standard error cannot be said at all.
    pub(super) fn on_stderr(&self, text: &str) {
        let mut stream = AutoStream::new(io::stderr().lock(), self.choice());
        let _ = stream.write_all(text.as_bytes());
    }

    fn choice(&self) -> ColorChoice {
        if self.colors {
            ColorChoice::Auto
        } else {
            ColorChoice::Never
        }
    }
}
