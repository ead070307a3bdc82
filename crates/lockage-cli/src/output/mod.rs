//! Printing: the result on standard output, progress and messages on standard error.

pub(crate) mod command_output;
pub(crate) mod confirm;
pub(crate) mod diagnostic;
pub(crate) mod failure;
pub(crate) mod json;
pub(crate) mod progress;
pub(crate) mod run_kind;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod trace;
pub(crate) mod usage;
pub(crate) mod warning;

use std::io::{self, BufWriter, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use lockage::RunError;

use crate::args::GlobalArgs;
use crate::config::Environment;
use crate::exit::Exit;
use crate::signals;
use command_output::{CommandOutput, Style};
use failure::CommandFailure;
use trace::Trace;

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
    /// Returns the output that flags and environment select.
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
            Some(Err(error)) => {
                output.print_message(&format!("cannot open the trace file: {error}"));
            }
            None => {}
        }
        output
    }

    /// Returns an output for use before the arguments are parsed.
    pub(crate) fn plain(json: bool, colors: bool) -> Self {
        Self {
            json,
            quiet: false,
            verbose: false,
            colors,
            trace: Trace::default(),
        }
    }

    /// Prints the result of a command and returns the exit of the process.
    pub(crate) fn print_output(&self, result: &dyn CommandOutput) -> Exit {
        let terminal = io::stdout().is_terminal();
        let style = Style {
            color: self.colors && terminal,
            terminal,
        };
        let written = self.on_stdout(|out| {
            if self.json {
                result.write_json(out)?;
                writeln!(out)
            } else if self.quiet && !result.is_primary_output() {
                Ok(())
            } else {
                result.write_text(out, style)
            }
        });
        match written {
            Ok(()) => result.exit(),
            // The reader closed the pipe, as `head` does.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => result.exit(),
            Err(error) => {
                self.print_message(&format!("cannot write to standard output: {error}"));
                Exit::Failed
            }
        }
    }

    /// Prints the error of a command and returns the exit of the process.
    pub(crate) fn print_failure(&self, failure: &CommandFailure) -> Exit {
        let exit = Exit::from_error(failure.error.kind(), signals::received());
        self.trace.failure(failure, exit);
        if self.json {
            // A script without an object still has the exit code.
            let _ = self.on_stdout(|out| {
                serde_json::to_writer(&mut *out, &json::RunJson::from_failure(failure))?;
                writeln!(out)
            });
        }
        self.print_error(&failure.error);
        exit
    }

    /// Prints an error for a person. Does nothing with `--json`.
    pub(crate) fn print_error(&self, error: &RunError) {
        if !self.json {
            self.on_stderr(&diagnostic::render(error));
        }
    }

    /// Prints a line on standard error, unless `--quiet` is set.
    pub(crate) fn print_message(&self, text: &str) {
        if !self.quiet {
            self.on_stderr(&format!("{text}\n"));
        }
    }

    /// Returns whether progress is a bar rather than lines.
    pub(crate) fn shows_progress_bar(&self) -> bool {
        !self.quiet && !self.verbose && io::stderr().is_terminal()
    }

    fn on_stdout(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let stream = AutoStream::new(io::stdout().lock(), self.color_choice());
        let mut out = BufWriter::new(stream);
        write(&mut out)?;
        out.flush()
    }

    /// Writes to standard error. Errors are ignored, since no other stream could report them.
    fn on_stderr(&self, text: &str) {
        let mut stream = AutoStream::new(io::stderr().lock(), self.color_choice());
        let _ = stream.write_all(text.as_bytes());
    }

    fn color_choice(&self) -> ColorChoice {
        if self.colors {
            ColorChoice::Auto
        } else {
            ColorChoice::Never
        }
    }
}
