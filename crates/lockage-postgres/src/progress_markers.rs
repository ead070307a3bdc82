//! Marks the statements of a batch, so that `application_name` shows which of them runs: the query that other sessions see is the
//! text of the whole batch.

use lockage_sql::{Command, CommandError};

use crate::application_name;
use crate::dialect::literal;

/// The maximum number of markers in a batch. Each is one more statement.
const MAX_MARKERS: usize = 500;

/// The commands of a batch, with markers between the statements of the script.
#[derive(Debug)]
pub(crate) struct ProgressMarkers<'a> {
    pub(crate) commands: Vec<Command<'a>>,
    /// The index of each command in the original batch; `None` for a marker.
    origin: Vec<Option<usize>>,
}

impl<'a> ProgressMarkers<'a> {
    /// Adds markers; `None` if the script has fewer than two statements. The commands must form one transaction: the name that a
    /// marker sets ends with it.
    pub(crate) fn new(commands: &[Command<'a>], name: &str) -> Option<Self> {
        let is_script = |command: &&Command<'_>| matches!(command, Command::Script(_));
        let scripts = commands.iter().filter(is_script).count();
        if scripts < 2 {
            return None;
        }
        let interval = scripts.div_ceil(MAX_MARKERS);
        let mut marked = Self {
            commands: Vec::with_capacity(commands.len() + scripts.min(MAX_MARKERS)),
            origin: Vec::with_capacity(commands.len() + scripts.min(MAX_MARKERS)),
        };
        let mut number = 0;
        for (index, command) in commands.iter().enumerate() {
            if is_script(&command) {
                number += 1;
                // The name without a number means the first statement.
                if number > 1 && number % interval == 0 {
                    let name = literal(&application_name::with_statement(name, number));
                    let marker = format!("SET LOCAL application_name = {name}");
                    marked.commands.push(Command::internal(marker));
                    marked.origin.push(None);
                }
            }
            marked.commands.push(command.clone());
            marked.origin.push(Some(index));
        }
        Some(marked)
    }

    /// Calls `on_done` with the original index of a command that succeeded.
    pub(crate) fn report_done(&self, command: usize, on_done: &mut (dyn FnMut(usize) + Send)) {
        if let Some(Some(index)) = self.origin.get(command) {
            on_done(*index);
        }
    }

    /// Replaces the index of a failed command by its original index. A marker counts as the command after it.
    pub(crate) fn map_failure(&self, failure: CommandError) -> CommandError {
        let mut following = self.origin.iter().skip(failure.command).flatten();
        let command = following.next().copied().unwrap_or(failure.command);
        failure.at_command(command)
    }
}

#[cfg(test)]
mod tests {
    use lockage_core::{Error, ErrorKind};

    use super::*;

    fn commands(scripts: usize) -> Vec<Command<'static>> {
        let mut commands = vec![Command::Internal("BEGIN".into())];
        commands.extend(vec![Command::Script("SELECT 1"); scripts]);
        commands.push(Command::Internal("COMMIT".into()));
        commands
    }

    fn texts(marked: &ProgressMarkers<'_>) -> Vec<String> {
        let text = |command: &Command<'_>| match command {
            Command::Internal(text) => text.to_string(),
            Command::Script(text) => (*text).to_owned(),
            command => panic!("unexpected {command:?}"),
        };
        marked.commands.iter().map(text).collect()
    }

    #[test]
    fn markers_keep_the_indexes_of_commands() {
        assert!(ProgressMarkers::new(&commands(1), "lockage@vm V1").is_none());
        let marked = ProgressMarkers::new(&commands(2), "lockage@vm V1").unwrap();
        assert_eq!(
            texts(&marked),
            [
                "BEGIN",
                "SELECT 1",
                "SET LOCAL application_name = 'lockage@vm V1 #2'",
                "SELECT 1",
                "COMMIT"
            ]
        );
        let mut reported = Vec::new();
        for command in 0..5 {
            marked.report_done(command, &mut |index| reported.push(index));
        }
        assert_eq!(reported, [0, 1, 2, 3]);
        for (command, original) in [(1, 1), (2, 2), (3, 2), (4, 3), (9, 9)] {
            let error = Error::new(ErrorKind::MigrationFailed, "");
            let failure = marked.map_failure(CommandError::new(command, error));
            assert_eq!(failure.command, original, "{command}");
        }
    }

    #[test]
    fn number_of_markers_is_limited() {
        let marked = ProgressMarkers::new(&commands(10_000), "x").unwrap();
        let markers = marked.commands.len() - 10_002;
        assert!((400..=MAX_MARKERS).contains(&markers), "{markers}");
    }
}
