//! Confirmation prompts on a terminal.

use std::io::{self, IsTerminal, Write};

use lockage::{Error, ErrorKind, Interrupt, Result};

use super::Output;
use super::command_output::Style;

/// An action that needs a "yes" from the user.
pub(crate) struct Confirmation {
    /// The question, without ` [y/N]`.
    pub(crate) question: String,
    /// What did not happen, for the error if the user does not confirm.
    pub(crate) refused: &'static str,
}

impl Confirmation {
    /// Shows details, asks the question, and fails unless the answer is yes.
    ///
    /// `details` writes what the question is about. `summary` returns the same as a context key and value for the error if no terminal
    /// is available.
    pub(crate) async fn ask(
        &self,
        output: &Output,
        interrupt: &Interrupt,
        details: impl FnOnce(&mut dyn Write, Style) -> io::Result<()>,
        summary: impl FnOnce() -> Option<(&'static str, String)>,
    ) -> Result<()> {
        let refused = self.refused;
        if !is_interactive() {
            let error = Error::new(
                ErrorKind::InvalidConfig,
                format!("{refused}: confirmation needs a terminal"),
            );
            let error = match summary() {
                Some((key, text)) => error.with_context(key, text),
                None => error,
            };
            return Err(error.with_hint("use --yes to skip the confirmation"));
        }
        let prompt_error = |error: io::Error| {
            Error::new(
                ErrorKind::Unexpected,
                "cannot ask for confirmation on this terminal",
            )
            .with_source(error)
        };
        let style = Style {
            color: output.colors,
            terminal: true,
        };
        let prompt = self.build_prompt(style, details).map_err(prompt_error)?;
        // Standard output is for the result.
        output.on_stderr(&prompt);
        let confirmed = tokio::select! {
            biased;
            () = interrupt.triggered() => {
                // Ends the line of the prompt.
                output.print_message("");
                false
            }
            answer = tokio::task::spawn_blocking(read_answer) => {
                answer.map_err(io::Error::from).flatten().map_err(prompt_error)?
            }
        };
        if confirmed {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Interrupted,
            format!("{refused}: not confirmed"),
        ))
    }

    fn build_prompt(
        &self,
        style: Style,
        details: impl FnOnce(&mut dyn Write, Style) -> io::Result<()>,
    ) -> io::Result<String> {
        let mut text = Vec::new();
        details(&mut text, style)?;
        let details = String::from_utf8_lossy(&text);
        Ok(format!("{details}{} [y/N] ", self.question))
    }
}

/// Returns whether a person can see a prompt and answer it.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Reads a line and returns whether it is a yes. Blocks.
fn read_answer() -> io::Result<bool> {
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(is_yes(&line))
}

fn is_yes(line: &str) -> bool {
    let line = line.trim();
    line.eq_ignore_ascii_case("y") || line.eq_ignore_ascii_case("yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_y_and_yes_confirm() {
        for line in ["y\n", "Y\r\n", " yes "] {
            assert!(is_yes(line), "{line:?}");
        }
        for line in ["", "\n", "n\n", "no\n", "yep\n"] {
            assert!(!is_yes(line), "{line:?}");
        }
    }
}
