//! Many pieces as the one text of a simple query, and the way back from a place in it.

use std::ops::Range;

use lockage_sql::Piece;

/// Ends a piece, whatever it ends with itself.
const END: &str = "\n;\n";

/// How much of a script's statement stands at the head of a message.
const HEADLINE: usize = 160;

/// What begins the head of a message.
const HEAD: &str = "-- ";

/// The text that goes to the server.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) text: String,
    /// Where each piece stands in it, in bytes.
    pieces: Vec<Range<usize>>,
}

impl Message {
    /// Joins pieces. A condition becomes a query that fails where it is not true. The first of a script's statements is told in a
    /// comment at the head: administrators, and the replicas that wait, see no more than the first kilobyte of what runs.
    pub(crate) fn join(pieces: &[Piece<'_>]) -> Self {
        let length = |piece: &Piece<'_>| match piece {
            Piece::Own(sql) => sql.len(),
            Piece::Script(sql) => sql.len(),
            Piece::Require(condition, _) => condition.len() + 80,
        };
        let length: usize = pieces.iter().map(|piece| length(piece) + END.len()).sum();
        let mut text = String::with_capacity(length + 4 * HEADLINE + HEAD.len());
        if let Some(script) = pieces.iter().find_map(|piece| match piece {
            Piece::Script(script) => Some(script),
            _ => None,
        }) {
            text.push_str(HEAD);
            text.extend(
                script
                    .chars()
                    .take(HEADLINE)
                    .map(|c| if c.is_control() { ' ' } else { c }),
            );
            text.push('\n');
        }
        let pieces = pieces
            .iter()
            .map(|piece| {
                let start = text.len();
                match piece {
                    Piece::Own(sql) => text.push_str(sql),
                    Piece::Script(sql) => text.push_str(sql),
                    Piece::Require(condition, _) => text.push_str(&format!(
                        "SELECT CAST(CASE WHEN ({condition}) THEN '1' ELSE 'not true' END AS integer)"
                    )),
                }
                let end = text.len();
                text.push_str(END);
                start..end
            })
            .collect();
        Self { text, pieces }
    }

    /// The piece of a position that the server tells, and the byte in it. The server counts characters from one.
    pub(crate) fn place(&self, position: u32) -> Option<(usize, usize)> {
        let character = usize::try_from(position).ok()?.checked_sub(1)?;
        let byte = self
            .text
            .char_indices()
            .map(|(byte, _)| byte)
            .nth(character)
            .unwrap_or(self.text.len());
        // What stands between two pieces belongs to the first: there its end was missed.
        let index = self
            .pieces
            .partition_point(|piece| piece.start <= byte)
            .checked_sub(1)?;
        let piece = &self.pieces[index];
        Some((index, byte.min(piece.end) - piece.start))
    }
}

/// The statement at the head of a message, as another session sees it.
pub(crate) fn headline(seen: &str) -> &str {
    let line = seen.lines().next().unwrap_or_default();
    line.strip_prefix(HEAD).unwrap_or(seen).trim()
}

#[cfg(test)]
mod tests {
    use lockage_core::ErrorKind;
    use lockage_sql::Refusal;

    use super::*;

    fn message() -> Message {
        Message::join(&[
            Piece::Own("BEGIN".into()),
            Piece::Require("a = b".into(), Refusal::new(ErrorKind::LockLost, "")),
            Piece::Script("SELECT 'é',\n\tfalsch -- no end"),
            Piece::Script("SELECT (1"),
        ])
    }

    #[test]
    fn pieces_end_even_where_they_end_in_a_comment() {
        let text = message().text;
        assert!(
            text.starts_with("-- SELECT 'é',  falsch -- no end\nBEGIN\n;\nSELECT CAST("),
            "{text}"
        );
        assert!(text.ends_with("-- no end\n;\nSELECT (1\n;\n"), "{text}");
        assert_eq!(headline(&text), "SELECT 'é',  falsch -- no end");
        assert_eq!(headline("VACUUM"), "VACUUM");
    }

    #[test]
    fn positions_are_characters_and_lead_to_pieces() {
        let message = message();
        let position = |part: &str| {
            let byte = message.text.rfind(part).unwrap();
            u32::try_from(message.text[..byte].chars().count()).unwrap() + 1
        };
        let (piece, byte) = message.place(position("falsch")).unwrap();
        assert_eq!((piece, byte), (2, "SELECT 'é',\n\t".len()));
        assert_eq!(message.place(position("(1")), Some((3, 7)));
        // At the end of the piece, and behind it.
        assert_eq!(message.place(position("\n;")), Some((3, 9)));
        assert_eq!(message.place(u32::MAX), Some((3, 9)));
        assert_eq!(message.place(1), None);
        assert_eq!(message.place(0), None);
    }
}
