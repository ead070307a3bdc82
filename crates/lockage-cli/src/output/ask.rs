//! Questions to whoever sits at the terminal.

use std::io::{self, IsTerminal, Write};

use lockage::{Error, ErrorKind, Interrupt, Result};

use super::{Output, Style};

impl Output {
    /// Whether somebody is there to answer.
    pub(crate) fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Shows what a question is about, and then the question. On standard error: standard output is the result's.
    fn question(
        &self,
        what: impl FnOnce(&mut dyn Write, Style) -> io::Result<()>,
        question: &str,
    ) -> io::Result<()> {
        let style = Style {
            color: self.colors,
            terminal: true,
        };
        let mut text = Vec::new();
        what(&mut text, style)?;
        self.on_stderr(&format!(
            "{}{question} [y/N] ",
            String::from_utf8_lossy(&text)
        ));
        Ok(())
    }
}

/// Something that is only done when somebody says yes.
pub(crate) struct Question {
    /// The question.
    pub(crate) question: String,
    /// What is said when nobody does: what was not done.
    pub(crate) refused: &'static str,
}

impl Question {
    /// Shows what the question is about, asks, and fails unless the answer is yes. `in_words` is what would be done, where nobody can be
    /// asked.
    pub(crate) async fn ask(
        &self,
        output: &Output,
        interrupt: &Interrupt,
        show: impl FnOnce(&mut dyn Write, Style) -> io::Result<()>,
        in_words: impl FnOnce() -> Option<(&'static str, String)>,
    ) -> Result<()> {
        let refused = self.refused;
        if !output.can_ask() {
            let error = Error::new(
                ErrorKind::InvalidConfig,
                format!("{refused}: there is no terminal to ask on"),
            );
            let error = match in_words() {
                Some((key, words)) => error.with_context(key, words),
                None => error,
            };
            return Err(error.with_hint("do it without being asked with --yes"));
        }
        let cannot = |error: io::Error| {
            Error::new(ErrorKind::Unexpected, "cannot ask on this terminal").with_source(error)
        };
        output.question(show, &self.question).map_err(cannot)?;
        let yes = tokio::select! {
            biased;
            () = interrupt.triggered() => {
                output.message("");
                false
            }
            answer = tokio::task::spawn_blocking(answer) => {
                answer.map_err(io::Error::from).flatten().map_err(cannot)?
            }
        };
        if yes {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Interrupted,
            format!("{refused}: nobody said yes"),
        ))
    }
}

/// Reads the answer: yes, or anything else. Blocks.
fn answer() -> io::Result<bool> {
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
    fn only_a_yes_is_a_yes() {
        for line in ["y\n", "Y\r\n", " yes "] {
            assert!(is_yes(line), "{line:?}");
        }
        for line in ["", "\n", "n\n", "no\n", "yep\n"] {
            assert!(!is_yes(line), "{line:?}");
        }
    }
}
