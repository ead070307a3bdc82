//! Questions to whoever sits at the terminal.

use std::io::{self, IsTerminal, Write};

use super::{Output, Style};

impl Output {
    /// Whether somebody is there to answer.
    pub(crate) fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Shows what a question is about, and then the question. On standard error: standard output is the result's.
    pub(crate) fn question(
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

/// Reads the answer: yes, or anything else. Blocks.
pub(crate) fn answer() -> io::Result<bool> {
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
