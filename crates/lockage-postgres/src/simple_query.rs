//! Joins commands to the text of one simple query, and finds the command of an error position.

use std::ops::Range;

use lockage_core::{Error, ErrorKind};
use lockage_sql::{Command, CommandError};

/// Ends a command, whatever its own last characters are.
const TERMINATOR: &str = "\n;\n";

/// The maximum number of characters of one statement in the header.
const MAX_SUMMARY_LEN: usize = 160;

/// The maximum length of the header in characters: `pg_stat_activity` shows the first kilobyte of a query by default.
const MAX_HEADER_LEN: usize = 700;

/// Starts a line of the header.
const HEADER_PREFIX: &str = "-- ";

/// The text of a simple query that runs several commands.
#[derive(Debug)]
pub(crate) struct QueryText {
    pub(crate) text: String,
    /// The byte range of each command.
    commands: Vec<Range<usize>>,
}

impl QueryText {
    /// Joins commands. An assertion becomes a query that fails unless its condition is true.
    ///
    /// The text starts with a header of comments: the first characters of the statements of the script, with their numbers if
    /// there are several. Administrators and waiting replicas read it in `pg_stat_activity`.
    pub(crate) fn join(commands: &[Command<'_>]) -> Result<Self, CommandError> {
        let length: usize = commands
            .iter()
            .map(|command| command_len(command) + TERMINATOR.len())
            .sum();
        let mut text = String::with_capacity(length + 4 * MAX_HEADER_LEN);
        write_header(&mut text, commands);
        let mut ranges = Vec::with_capacity(commands.len());
        for (index, command) in commands.iter().enumerate() {
            let start = text.len();
            match command {
                Command::Internal(sql) => text.push_str(sql),
                Command::Script(sql) => text.push_str(sql),
                Command::Assert(condition, _) => text.push_str(&format!(
                    "SELECT CAST(CASE WHEN ({condition}) THEN '1' ELSE 'not true' END AS integer)"
                )),
                command => {
                    let error = Error::new(
                        ErrorKind::Unsupported,
                        format!("this backend does not know the command {command:?}"),
                    );
                    return Err(CommandError::new(index, error));
                }
            }
            let end = text.len();
            text.push_str(TERMINATOR);
            ranges.push(start..end);
        }
        Ok(Self {
            text,
            commands: ranges,
        })
    }

    /// Returns the command at a position and the byte inside it. The server counts characters from one.
    pub(crate) fn command_at(&self, position: u32) -> Option<(usize, usize)> {
        let character = usize::try_from(position).ok()?.checked_sub(1)?;
        let byte = self
            .text
            .char_indices()
            .map(|(byte, _)| byte)
            .nth(character)
            .unwrap_or(self.text.len());
        // A position between two commands belongs to the first, whose end the server did not expect.
        let index = self
            .commands
            .partition_point(|command| command.start <= byte)
            .checked_sub(1)?;
        let command = &self.commands[index];
        Some((index, byte.min(command.end) - command.start))
    }
}

/// Returns about how many bytes a command takes.
fn command_len(command: &Command<'_>) -> usize {
    match command {
        Command::Internal(sql) => sql.len(),
        Command::Script(sql) => sql.len(),
        Command::Assert(condition, _) => condition.len() + 80,
        _ => 0,
    }
}

fn write_header(text: &mut String, commands: &[Command<'_>]) {
    let scripts: Vec<&str> = commands
        .iter()
        .filter_map(|command| match command {
            Command::Script(script) => Some(*script),
            _ => None,
        })
        .collect();
    let summary_len = MAX_SUMMARY_LEN.min(MAX_HEADER_LEN / scripts.len().clamp(1, 10));
    let summaries = MAX_HEADER_LEN / summary_len;
    for (index, script) in scripts.iter().take(summaries).enumerate() {
        text.push_str(HEADER_PREFIX);
        if scripts.len() > 1 {
            text.push_str(&format!("{}: ", index + 1));
        }
        text.extend(
            script
                .chars()
                .take(summary_len)
                .map(|c| if c.is_control() { ' ' } else { c }),
        );
        text.push('\n');
    }
}

/// Returns the running statement of a query text that another session sees. `number` is the statement's number if several were
/// sent together.
pub(crate) fn summary(query: &str, number: Option<usize>) -> String {
    let mut lines = query
        .lines()
        .map_while(|line| line.strip_prefix(HEADER_PREFIX))
        .map(str::trim);
    let Some(first) = lines.next() else {
        return query.trim().to_owned();
    };
    let numbered = |number: usize, line: &str| {
        let text = line.strip_prefix(&format!("{number}: "))?;
        Some(text.to_owned())
    };
    match number {
        None | Some(1) => numbered(1, first).unwrap_or_else(|| first.to_owned()),
        Some(number) => lines
            .find_map(|line| numbered(number, line))
            .unwrap_or_else(|| format!("statement {number}")),
    }
}

#[cfg(test)]
mod tests {
    use lockage_sql::AssertionError;

    use super::*;

    fn joined(commands: &[Command<'_>]) -> QueryText {
        QueryText::join(commands).unwrap()
    }

    fn sample() -> QueryText {
        joined(&[
            Command::Internal("BEGIN".into()),
            Command::Assert("a = b".into(), AssertionError::new(ErrorKind::LockLost, "")),
            Command::Script("SELECT 'é',\n\tfalsch -- no end"),
            Command::Script("SELECT (1"),
        ])
    }

    #[test]
    fn command_that_ends_in_a_comment_is_terminated() {
        let text = sample().text;
        assert!(
            text.starts_with(
                "-- 1: SELECT 'é',  falsch -- no end\n-- 2: SELECT (1\nBEGIN\n;\nSELECT CAST("
            ),
            "{text}"
        );
        assert!(text.ends_with("-- no end\n;\nSELECT (1\n;\n"), "{text}");
    }

    #[test]
    fn summary_finds_the_statement_by_its_number() {
        let text = sample().text;
        assert_eq!(summary(&text, None), "SELECT 'é',  falsch -- no end");
        assert_eq!(summary(&text, Some(2)), "SELECT (1");
        assert_eq!(summary(&text, Some(3)), "statement 3");
        assert_eq!(summary("VACUUM", None), "VACUUM");
        let single = joined(&[
            Command::Script("SELECT 1"),
            Command::Internal("COMMIT".into()),
        ]);
        assert_eq!(summary(&single.text, None), "SELECT 1");
    }

    #[test]
    fn header_length_is_limited() {
        let long = "é".repeat(1000);
        for scripts in [1, 2, 5, 10, 1000] {
            let text = joined(&vec![Command::Script(&long); scripts]).text;
            let header: String = text
                .lines()
                .take_while(|line| line.starts_with(HEADER_PREFIX))
                .collect();
            assert!(
                (160..900).contains(&header.chars().count()),
                "{scripts}: {header}"
            );
        }
    }

    #[test]
    fn position_in_characters_leads_to_the_command() {
        let sample = sample();
        let position = |part: &str| {
            let byte = sample.text.rfind(part).unwrap();
            u32::try_from(sample.text[..byte].chars().count()).unwrap() + 1
        };
        assert_eq!(
            sample.command_at(position("falsch")),
            Some((2, "SELECT 'é',\n\t".len()))
        );
        assert_eq!(sample.command_at(position("(1")), Some((3, 7)));
        // At the end of the command, and after it.
        assert_eq!(sample.command_at(position("\n;")), Some((3, 9)));
        assert_eq!(sample.command_at(u32::MAX), Some((3, 9)));
        assert_eq!(sample.command_at(1), None);
        assert_eq!(sample.command_at(0), None);
    }
}
