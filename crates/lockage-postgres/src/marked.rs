//! Which of the statements that were sent at once is the one in hand: others see the text as a whole, and `application_name` at once.

use lockage_sql::{CommandError, Command};

use crate::application;
use crate::dialect::literal;

/// How many statements of one call are told apart: each takes a statement of ours.
const MOST: usize = 500;

/// Pieces with statements of ours between those of a script.
#[derive(Debug)]
pub(crate) struct Marked<'a> {
    pub(crate) pieces: Vec<Command<'a>>,
    /// Which of the pieces it was before; `None` for a mark.
    origin: Vec<Option<usize>>,
}

impl<'a> Marked<'a> {
    /// `None` where there is nothing to tell apart. The pieces are a transaction, and the name that is set there ends with it.
    pub(crate) fn new(pieces: &[Command<'a>], name: &str) -> Option<Self> {
        let is_script = |piece: &&Command<'_>| matches!(piece, Command::Script(_));
        let scripts = pieces.iter().filter(is_script).count();
        if scripts < 2 {
            return None;
        }
        let every = scripts.div_ceil(MOST);
        let mut marked = Self {
            pieces: Vec::with_capacity(pieces.len() + scripts.min(MOST)),
            origin: Vec::with_capacity(pieces.len() + scripts.min(MOST)),
        };
        let mut number = 0;
        for (index, piece) in pieces.iter().enumerate() {
            if is_script(&piece) {
                number += 1;
                // The first needs none.
                if number > 1 && number % every == 0 {
                    let name = literal(&application::at_statement(name, number));
                    let mark = format!("SET LOCAL application_name = {name}");
                    marked.pieces.push(Command::Internal(mark.into()));
                    marked.origin.push(None);
                }
            }
            marked.pieces.push(piece.clone());
            marked.origin.push(Some(index));
        }
        Some(marked)
    }

    /// Passes on that a piece is through.
    pub(crate) fn tell(&self, through: usize, done: &mut (dyn FnMut(usize) + Send)) {
        if let Some(Some(index)) = self.origin.get(through) {
            done(*index);
        }
    }

    /// A failure, of the piece that it was before. A mark belongs to the one behind it.
    pub(crate) fn in_its_place(&self, failure: CommandError) -> CommandError {
        let behind = self.origin.iter().skip(failure.piece);
        let piece = behind.flatten().next().copied();
        CommandError {
            piece: piece.unwrap_or(failure.piece),
            ..failure
        }
    }
}

#[cfg(test)]
mod tests {
    use lockage_core::{Error, ErrorKind};

    use super::*;

    fn pieces(scripts: usize) -> Vec<Command<'static>> {
        let mut pieces = vec![Command::Internal("BEGIN".into())];
        pieces.extend(vec![Command::Script("SELECT 1"); scripts]);
        pieces.push(Command::Internal("COMMIT".into()));
        pieces
    }

    fn texts(marked: &Marked<'_>) -> Vec<String> {
        let text = |piece: &Command<'_>| match piece {
            Command::Internal(text) => text.to_string(),
            Command::Script(text) => (*text).to_owned(),
            Command::Assert(condition, _) => condition.clone(),
        };
        marked.pieces.iter().map(text).collect()
    }

    #[test]
    fn statements_are_told_apart_and_counted_as_before() {
        assert!(Marked::new(&pieces(1), "lockage@vm V1").is_none());
        let marked = Marked::new(&pieces(2), "lockage@vm V1").unwrap();
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
        let mut told = Vec::new();
        for through in 0..5 {
            marked.tell(through, &mut |index| told.push(index));
        }
        assert_eq!(told, [0, 1, 2, 3]);
        for (piece, before) in [(1, 1), (2, 2), (3, 2), (4, 3), (9, 9)] {
            let error = Error::new(ErrorKind::MigrationFailed, "");
            let failure = marked.in_its_place(CommandError::new(piece, error));
            assert_eq!(failure.piece, before, "{piece}");
        }
    }

    #[test]
    fn a_long_script_has_no_more_marks_than_needed() {
        let marked = Marked::new(&pieces(10_000), "x").unwrap();
        let marks = marked.pieces.len() - 10_002;
        assert!((400..=MOST).contains(&marks), "{marks}");
    }
}
