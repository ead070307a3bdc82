//! Many pieces as the one text of a simple query, and the way back from a place in it.

use std::ops::Range;

use lockage_sql::Command;

/// Ends a piece, whatever it ends with itself.
const END: &str = "\n;\n";

/// How much of a script's statement stands at the head of a message.
const HEADLINE: usize = 160;

/// How long a head is at most, in characters: administrators, and the replicas that wait, see no more than the first kilobyte of what runs.
const HEADLINES: usize = 700;

/// What begins a line of the head of a message.
const HEAD: &str = "-- ";

/// The text that goes to the server.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) text: String,
    /// Where each piece stands in it, in bytes.
    pieces: Vec<Range<usize>>,
}

impl Message {
    /// Joins pieces. A condition becomes a query that fails where it is not true. The beginnings of a script's statements are told in
    /// comments at the head, as many as may be seen; with their numbers where there are several.
    pub(crate) fn join(pieces: &[Command<'_>]) -> Self {
        let length = |piece: &Command<'_>| match piece {
            Command::Internal(sql) => sql.len(),
            Command::Script(sql) => sql.len(),
            Command::Assert(condition, _) => condition.len() + 80,
        };
        let length: usize = pieces.iter().map(|piece| length(piece) + END.len()).sum();
        let mut text = String::with_capacity(length + 4 * HEADLINES);
        write_head(&mut text, pieces);
        let pieces = pieces
            .iter()
            .map(|piece| {
                let start = text.len();
                match piece {
                    Command::Internal(sql) => text.push_str(sql),
                    Command::Script(sql) => text.push_str(sql),
                    Command::Assert(condition, _) => text.push_str(&format!(
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

fn write_head(text: &mut String, pieces: &[Command<'_>]) {
    let scripts: Vec<&str> = pieces
        .iter()
        .filter_map(|piece| match piece {
            Command::Script(script) => Some(*script),
            _ => None,
        })
        .collect();
    let each = HEADLINE.min(HEADLINES / scripts.len().clamp(1, 10));
    let told = HEADLINES / each;
    for (index, script) in scripts.iter().take(told).enumerate() {
        text.push_str(HEAD);
        if scripts.len() > 1 {
            text.push_str(&format!("{}: ", index + 1));
        }
        text.extend(
            script
                .chars()
                .take(each)
                .map(|c| if c.is_control() { ' ' } else { c }),
        );
        text.push('\n');
    }
}

/// The statement in hand of a message as another session sees it, by its number where several were sent at once.
pub(crate) fn headline(seen: &str, number: Option<usize>) -> String {
    let mut heads = seen
        .lines()
        .map_while(|line| line.strip_prefix(HEAD))
        .map(str::trim);
    let Some(first) = heads.next() else {
        return seen.trim().to_owned();
    };
    let told = |number: usize, head: &str| {
        let text = head.strip_prefix(&format!("{number}: "))?;
        Some(text.to_owned())
    };
    match number {
        None | Some(1) => told(1, first).unwrap_or_else(|| first.to_owned()),
        Some(number) => heads
            .find_map(|head| told(number, head))
            .unwrap_or_else(|| format!("statement {number}")),
    }
}

#[cfg(test)]
mod tests {
    use lockage_core::ErrorKind;
    use lockage_sql::AssertionError;

    use super::*;

    fn message() -> Message {
        Message::join(&[
            Command::Internal("BEGIN".into()),
            Command::Assert("a = b".into(), AssertionError::new(ErrorKind::LockLost, "")),
            Command::Script("SELECT 'é',\n\tfalsch -- no end"),
            Command::Script("SELECT (1"),
        ])
    }

    #[test]
    fn pieces_end_even_where_they_end_in_a_comment() {
        let text = message().text;
        assert!(
            text.starts_with(
                "-- 1: SELECT 'é',  falsch -- no end\n-- 2: SELECT (1\nBEGIN\n;\nSELECT CAST("
            ),
            "{text}"
        );
        assert!(text.ends_with("-- no end\n;\nSELECT (1\n;\n"), "{text}");
    }

    #[test]
    fn the_statement_in_hand_is_found_by_its_number() {
        let text = message().text;
        assert_eq!(headline(&text, None), "SELECT 'é',  falsch -- no end");
        assert_eq!(headline(&text, Some(2)), "SELECT (1");
        assert_eq!(headline(&text, Some(3)), "statement 3");
        assert_eq!(headline("VACUUM", None), "VACUUM");
        let alone = Message::join(&[Command::Script("SELECT 1"), Command::Internal("COMMIT".into())]).text;
        assert_eq!(headline(&alone, None), "SELECT 1");
    }

    #[test]
    fn the_head_stays_within_what_is_seen() {
        let long = "é".repeat(1000);
        for scripts in [1, 2, 5, 10, 1000] {
            let text = Message::join(&vec![Command::Script(&long); scripts]).text;
            let head: String = text
                .lines()
                .take_while(|line| line.starts_with(HEAD))
                .collect();
            assert!(
                (160..900).contains(&head.chars().count()),
                "{scripts}: {head}"
            );
        }
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
