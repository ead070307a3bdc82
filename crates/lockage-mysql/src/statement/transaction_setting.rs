//! Reads settings that change how transactions begin and end.

use super::cursor::{Cursor, literal_text};

/// Returns whether a statement enables (`true`) or disables `autocommit`; `None` for any other statement.
///
/// A value from a variable enables it: scripts restore the former value in this way.
pub(crate) fn autocommit_setting(text: &str) -> Option<bool> {
    let value = setting(text, "AUTOCOMMIT")?;
    Some(!["0", "OFF", "FALSE"].contains(&value.as_str()))
}

/// Returns whether a statement sets `completion_type` to anything but its default.
pub(super) fn changes_completion_type(text: &str) -> bool {
    setting(text, "COMPLETION_TYPE")
        .is_some_and(|value| !["0", "NO_CHAIN", "DEFAULT"].contains(&value.as_str()))
}

/// Returns whether a statement only reads, or only changes the session.
pub(crate) fn is_query_or_setting(text: &str) -> bool {
    let at = Cursor::new(text);
    [
        "SELECT",
        "SET",
        "SHOW",
        "USE",
        "DO",
        "PREPARE",
        "DEALLOCATE",
        "DESCRIBE",
        "DESC",
        "EXPLAIN",
    ]
    .iter()
    .any(|word| at.peek_keyword(&[word]))
}

/// Returns the first token of the value that a `SET` gives to a setting of the session, in upper case and without quotes.
fn setting(text: &str, name: &str) -> Option<String> {
    let mut at = Cursor::new(text);
    if !at.eat(&["SET"]) {
        return None;
    }
    at.parts().into_iter().rev().find_map(|mut part| {
        part.eat_any(&["SESSION", "LOCAL"]);
        part.eat(&["@"]);
        let mut found = part.next()?.trim_start_matches('@');
        if part.eat(&["."]) {
            if found.eq_ignore_ascii_case("GLOBAL") {
                return None;
            }
            found = part.next()?;
        }
        if !found.trim_matches('`').eq_ignore_ascii_case(name) {
            return None;
        }
        part.eat(&[":"]);
        part.eat(&["="]);
        let value = part.next()?;
        Some(
            literal_text(value)
                .unwrap_or_else(|| value.to_owned())
                .to_uppercase(),
        )
    })
}
